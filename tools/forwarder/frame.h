// The frame that the forwarder's two ends exchange: 32 bytes of overhead, then one IP packet.
// 32 bytes because that is what a WireGuard data message adds (16 of header, 16 of tag): packet sizes equal a tunnel's.
// The last ten bytes of the overhead are the packet's virtio_net_hdr as the TUN device gave it, so a packet read at
// offset kPadBytes needs no further work before it is sent, and none after it was received before it is written.
// The other 22 bytes are zero. Nothing is encrypted, authenticated or checked: a yardstick for benchmarks, not a
// tunnel.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/wire.h"

namespace fireline::forwarder {

inline constexpr std::size_t kOverheadBytes = 32;
inline constexpr std::size_t kVnetBytes = 10;  // struct virtio_net_hdr
inline constexpr std::size_t kPadBytes = kOverheadBytes - kVnetBytes;
inline constexpr std::size_t kPacketBytesMax = 65535;    // IP total length
inline constexpr std::size_t kDatagramBytesMax = 65507;  // UDP payload over IPv4; the lower of both families
inline constexpr std::size_t kTrainMax = 64;             // segments of one GSO send that every kernel takes

// struct virtio_net_hdr of linux/virtio_net.h, whose header C++ cannot include (a field is called `class`).
// Host byte order, as the TUN device has it by default.
struct Vnet {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_bytes = 0;
  std::uint16_t gso_bytes = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;

  [[nodiscard]] static Vnet load(ConstBytes bytes) noexcept {
    Vnet vnet;
    if (bytes.size() >= kVnetBytes) std::memcpy(&vnet, bytes.data(), kVnetBytes);
    return vnet;
  }
  void store(Bytes bytes) const noexcept {
    if (bytes.size() >= kVnetBytes) std::memcpy(bytes.data(), this, kVnetBytes);
  }
};
static_assert(sizeof(Vnet) == kVnetBytes);

inline constexpr std::uint8_t kVnetNeedsChecksum = 1;
inline constexpr std::uint8_t kVnetTcpV4 = 1;
inline constexpr std::uint8_t kVnetTcpV6 = 4;
inline constexpr std::uint8_t kVnetUdp = 5;  // USO, Linux 6.2

inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpPush = 0x08;
inline constexpr std::uint8_t kTcpCwr = 0x80;
inline constexpr std::size_t kTcpHeaderBytesMin = 20;
inline constexpr std::size_t kUdpHeaderBytes = 8;
inline constexpr std::size_t kHeaderBytesMax = 60 + 60;  // IPv4 with options and TCP with options; IPv6 is below it

// One's complement sum over 16-bit words, not folded (RFC 1071). `bytes` has even length here (headers, addresses).
[[nodiscard]] inline std::uint64_t sum_words(ConstBytes bytes) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += load_be16(bytes, i);
  return sum;
}
[[nodiscard]] inline std::uint16_t fold(std::uint64_t sum) noexcept {
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}
// The pseudo-header sum that a partial checksum starts from, without the length (RFC 9293 section 3.1).
[[nodiscard]] inline std::uint64_t pseudo_sum(ConstBytes ip, bool v6, std::uint8_t protocol) noexcept {
  return sum_words(v6 ? ip.subspan(8, 32) : ip.subspan(12, 8)) + protocol;
}

}  // namespace fireline::forwarder
