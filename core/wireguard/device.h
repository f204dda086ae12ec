// One WireGuard interface as an engine: peers, sessions, timers, allowed IPs. Sans-I/O; see core/packet/engine.h for
// the seam and its rule of use. Source: the WireGuard paper, and the profile for what differs (profile.h).
//
// Lifetime: buffers, random and handshake parameters must outlive the device.
// Threads: one owner thread; jobs alone run elsewhere. Counters may be read from any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/base/counters.h"
#include "core/crypto/random.h"
#include "core/packet/engine.h"
#include "core/wireguard/configuration.h"
#include "core/wireguard/profile.h"

namespace fireline::wireguard {

enum class DeviceCounter : std::uint8_t;

struct DeviceOptions {
  Profile profile = kPaperProfile;
  std::uint16_t mtu = 1420;
};

class Device final : public packet::Engine {
 public:
  // `large` and `small` give the buffers of outgoing trains and of queued packets (packet::kLargeBufferBytes and
  // kSmallBufferBytes); `start` is the clock pair from which handshake timestamps are derived.
  Device(DeviceOptions options, Now start, packet::BufferSource& large, packet::BufferSource& small,
         crypto::Random& random);
  ~Device() override;

  // Configuration. Applies keys and peers; listen_port and fwmark are the sockets' and ignored here.
  void apply(Now now, const DeviceUpdate& update, packet::Output& output);
  [[nodiscard]] DeviceStatus status(Now now) const;
  // Between 576 and 65,535: what is read from the TUN is at most this long, and padding stops here.
  void set_mtu(std::uint16_t mtu);
  // Down: forget all sessions and queued packets, send and accept nothing. Up: also starts persistent keepalives.
  void set_up(Now now, bool up, packet::Output& output);
  // The sockets were bound anew or the network changed: forget the sticky source addresses.
  void forget_local_addresses();

  std::unique_ptr<packet::Work> make_work() override;
  void plan(Now now, packet::TunBatch& batch, packet::Work& work) override;
  void plan(Now now, packet::UdpBatch& batch, packet::Work& work) override;
  void commit(Now now, packet::Work& work, packet::Output& output) override;
  bool step_handshake(Now now, packet::Output& output) override;
  std::optional<Instant> poll_timeout() const override;
  void handle_timeout(Now now, packet::Output& output) override;

  [[nodiscard]] const Counters<DeviceCounter>& counters() const noexcept;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace fireline::wireguard
