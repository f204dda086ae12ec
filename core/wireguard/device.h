// One WireGuard interface as an engine: peers, sessions, timers, allowed IPs. Sans-I/O; see core/packet/engine.h for
// the seam and its rule of use. Source: the WireGuard paper, and the profile for what differs (profile.h).
//
// Handshakes cost hundreds of microseconds each, so none is worked on while a batch is planned: messages wait in a
// bounded queue, our own initiations in a list, and step_handshake takes one of either. Besides, commit sends one
// wanted initiation and handle_timeout a few, so that a loop that never steps still connects; while initiations are
// wanted, poll_timeout gives a time in the past.
//
// Lifetime: buffers, random, aead and memory must outlive the device; every Work must be dropped before the device.
// Threads: one owner thread; jobs alone run elsewhere. Counters may be read from any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include "core/base/counters.h"
#include "core/crypto/aead.h"
#include "core/crypto/random.h"
#include "core/packet/coalescer.h"
#include "core/packet/engine.h"
#include "core/wireguard/configuration.h"
#include "core/wireguard/constants.h"
#include "core/wireguard/device_counters.h"
#include "core/wireguard/device_event.h"
#include "core/wireguard/inner_policy.h"
#include "core/wireguard/peer_path.h"
#include "core/wireguard/profile.h"

namespace fireline::wireguard {

struct DeviceState;

struct DeviceOptions {
  Profile profile = kPaperProfile;
  std::uint16_t mtu = 1420;
  packet::CoalescerOptions tun_offloads = {};  // the super-packets that the TUN device takes
  // Packets from the TUN for a peer without a path wait for it (client) or are dropped (gateway, plain WireGuard).
  bool queue_without_path = false;
  std::size_t queued_bytes_max = kQueuedBytesMax;  // buffers of all queued packets
  std::size_t events_max = kDeviceEventsMax;       // not fetched; as many as peers, where a lost one loses a peer
  const ReturnPath* return_path = nullptr;         // null: no relayed sender is answered before it is a known peer
  InnerPolicy* policy = nullptr;                   // null: a source must be among its peer's allowed IPs
  std::pmr::memory_resource* memory = std::pmr::new_delete_resource();  // of peers and sessions
};

// The address of ours that a peer's last packet came to.
struct StickySource {
  crypto::PublicKey peer;
  Endpoint destination;  // the peer's
  packet::LocalAddress local;
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
  // Where answers leave from: sticky source addresses whose interface is known. Profile::roaming alone.
  [[nodiscard]] std::vector<StickySource> sticky_sources() const;
  // The routes to these peers leave other interfaces now: the kernel chooses anew, where it is still the same source.
  void forget_local_addresses(std::span<const StickySource> sources);
  // The sockets were bound anew, or have another mark: forget all of them.
  void forget_local_addresses();
  // The TUN was probed anew, or refused a super-packet. Between commits only.
  void set_tun_offloads(packet::CoalescerOptions offloads);

  // Paths, for a layer above that owns addresses (Profile::roaming off). Keys that are no peer's are ignored.
  // Empty: none; nothing is sent, no timer runs, an attempt to get a session ends without a verdict, and responses wait
  // (the last kHeldResponses). From none to one: what waits leaves, responses first. From one to another: trains that
  // were planned keep the old path, whatever comes later takes the new one, and packets keep their order.
  void set_path(Now now, const crypto::PublicKey& peer, const std::optional<PeerPath>& path, packet::Output& output);
  // Asks for a handshake without a packet; it leaves with the next commit, step or timeout. False: one is under way,
  // one ended less than REKEY_TIMEOUT ago and the retransmit timer asks again, or there is no path, private key or
  // peer.
  bool initiate(Now now, const crypto::PublicKey& peer);
  // An IP packet of our own, such as kGoodbye, through the current session, at once: it overtakes packets that wait and
  // works that are not committed. Without a session or path it is dropped and counted.
  bool send_packet(Now now, const crypto::PublicKey& peer, ConstBytes packet, packet::Output& output);
  // When an IP packet was last sent, queued or received; keepalives and handshakes do not count.
  [[nodiscard]] std::optional<Instant> last_data(const crypto::PublicKey& peer) const;
  // The next of them gives the event data_moved, once: a peer that was idle is not.
  void watch_data(const crypto::PublicKey& peer);
  // When the first IP packet was sent since which nothing authentic came back; empty while nothing is unanswered.
  [[nodiscard]] std::optional<Instant> unanswered_since(const crypto::PublicKey& peer) const;

  std::unique_ptr<packet::Work> make_work() override;
  void plan(Now now, packet::TunBatch& batch, packet::Work& work) override;
  void plan(Now now, packet::UdpBatch& batch, packet::Work& work) override;
  void commit(Now now, packet::Work& work, packet::Output& output) override;
  bool step_handshake(Now now, packet::Output& output) override;
  [[nodiscard]] std::optional<Instant> poll_timeout() const override;
  void handle_timeout(Now now, packet::Output& output) override;
  void stop_merging() override { set_tun_offloads({}); }

  // The oldest event that was not fetched yet.
  [[nodiscard]] std::optional<DeviceEvent> poll_event();
  [[nodiscard]] const Counters<DeviceCounter>& counters() const noexcept;
  [[nodiscard]] DeviceGauges gauges() const noexcept;

 private:
  std::unique_ptr<DeviceState> state_;
};

}  // namespace fireline::wireguard
