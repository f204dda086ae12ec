// The constants that both profiles share: what the WireGuard paper fixes in section 6 (its names), and our own limits.
// What differs between the profiles is in profile.h.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"

namespace fireline::wireguard {

using namespace std::chrono_literals;

inline constexpr Duration kRekeyAfterTime = 120s;
inline constexpr Duration kRejectAfterTime = 180s;
inline constexpr Duration kRekeyTimeout = 5s;
inline constexpr Duration kKeepaliveTimeout = 10s;
inline constexpr Duration kZeroKeysAfter = 3 * kRejectAfterTime;
// Added to each initiation that a timer sends, so that both ends of a session do not start at the same time.
inline constexpr Duration kRekeyJitterMax = 333ms;

inline constexpr std::uint64_t kRekeyAfterMessages = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kRejectAfterMessages = UINT64_MAX - (std::uint64_t{1} << 13);

// The kernel's INITIATIONS_PER_SECOND: a peer's initiations that come faster than 50 a second are not answered.
inline constexpr Duration kInitiationInterval = 20ms;

inline constexpr std::uint16_t kMtuMin = 576;  // RFC 791: what every IPv4 host takes
// 65,487 (kTrainBytesV6) less header and tag of 32 bytes, and of that a multiple of the padding. What a device is
// asked for beyond it is held to it.
inline constexpr std::uint16_t kMtuMax = 65440;

inline constexpr std::size_t kPeersMax = std::size_t{1} << 20;  // the kernel's MAX_PEERS_PER_DEVICE
inline constexpr std::size_t kSealRoundPackets = 64;            // per peer and round: one full train
// wireguard-go's QueueHandshakeSize: a tenth of a second of X25519 on one core.
inline constexpr std::size_t kHandshakeQueueMessages = 1024;
// An initiator takes responses to its last two initiations.
inline constexpr std::size_t kHeldResponses = 2;
// Queued packets of a peer without a path: connectivity spec 2.7.
inline constexpr std::size_t kQueuedWithoutPath = 128;
// Buffers of all queued packets: half of what client and gateway have for packets of their own making (io/limits.h), so
// that queues alone never leave a handshake without a buffer.
inline constexpr std::size_t kQueuedBytesMax = std::size_t{4} << 20;
inline constexpr std::size_t kDeviceEventsMax = 256;  // a reader that is slower loses the oldest, counted
// ICMP errors for packets from the TUN: what the kernel allows (net.ipv4.icmp_msgs_per_sec is 1,000) is more than a
// person or a path MTU search needs.
inline constexpr std::uint32_t kIcmpErrorsPerSecond = 100;
inline constexpr std::uint32_t kIcmpErrorsBurst = 50;

}  // namespace fireline::wireguard
