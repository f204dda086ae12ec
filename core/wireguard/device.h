// One WireGuard interface as an engine: peers, sessions, timers, allowed IPs. Sans-I/O; see core/packet/engine.h for
// the seam and its rule of use. Source: the WireGuard paper, and the profile for what differs (profile.h).
//
// Handshakes cost hundreds of microseconds each, so none is worked on while a batch is planned: messages wait in a
// bounded queue, our own initiations in a list, and step_handshake takes one of either. Besides, commit sends one
// wanted initiation and handle_timeout a few, so that a loop that never steps still connects; while initiations are
// wanted, poll_timeout gives a time in the past.
//
// Lifetime: buffers, random and aead must outlive the device; every Work must be dropped before the device.
// Threads: one owner thread; jobs alone run elsewhere. Counters may be read from any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "core/base/counters.h"
#include "core/crypto/aead.h"
#include "core/crypto/random.h"
#include "core/packet/coalescer.h"
#include "core/packet/engine.h"
#include "core/wireguard/configuration.h"
#include "core/wireguard/device_counters.h"
#include "core/wireguard/device_event.h"
#include "core/wireguard/profile.h"

namespace fireline::wireguard {

struct DeviceState;

struct DeviceOptions {
  Profile profile = kPaperProfile;
  std::uint16_t mtu = 1420;
  packet::CoalescerOptions tun_offloads = {};  // the super-packets that the TUN device takes
};

class Device final : public packet::Engine {
 public:
  // `large` and `small` give the buffers of outgoing trains and of queued packets (packet::kLargeBufferBytes and
  // kSmallBufferBytes); `start` is the clock pair from which handshake timestamps are derived; `aead` belongs to the
  // owner thread and seals what no Work carries: keepalives, and packets that waited for a session.
  // A new device is down.
  Device(DeviceOptions options, Now start, packet::BufferSource& large, packet::BufferSource& small,
         crypto::Random& random, crypto::Aead& aead);
  ~Device() override;

  // Configuration. Applies keys and peers; listen_port and fwmark are the sockets' and ignored here.
  // A peer with the device's own public key is ignored, and removed when the private key is set later.
  // False: a limit was reached (kPeersMax, kAllowedIpsMax) and something was not applied.
  bool apply(Now now, const DeviceUpdate& update, packet::Output& output);
  [[nodiscard]] DeviceStatus status() const;
  // What is read from the TUN is at most this long, and padding stops here. Held between kMtuMin and kMtuMax.
  void set_mtu(std::uint16_t mtu);
  // Down: forget all sessions and queued packets, send and accept nothing. Up: also starts persistent keepalives.
  void set_up(Now now, bool up, packet::Output& output);
  // The sockets were bound anew or the network changed: forget the sticky source addresses.
  void forget_local_addresses();
  // The TUN was probed anew, or refused a super-packet. Between commits only.
  void set_tun_offloads(packet::CoalescerOptions offloads);

  std::unique_ptr<packet::Work> make_work() override;
  void plan(Now now, packet::TunBatch& batch, packet::Work& work) override;
  void plan(Now now, packet::UdpBatch& batch, packet::Work& work) override;
  void commit(Now now, packet::Work& work, packet::Output& output) override;
  bool step_handshake(Now now, packet::Output& output) override;
  [[nodiscard]] std::optional<Instant> poll_timeout() const override;
  void handle_timeout(Now now, packet::Output& output) override;
  void stop_merging() override { set_tun_offloads({}); }

  // The oldest event that was not fetched yet. At most kDeviceEventsMax wait.
  [[nodiscard]] std::optional<DeviceEvent> poll_event();
  [[nodiscard]] const Counters<DeviceCounter>& counters() const noexcept;
  [[nodiscard]] DeviceGauges gauges() const noexcept;

 private:
  std::unique_ptr<DeviceState> state_;
};

}  // namespace fireline::wireguard
