// What the parts of a Device share: its tables, its queues and the scratch of one turn. A plain record with the few
// functions that every part needs; the rules stand in the parts:
//   device_configure.h  keys, peers, up and down, status
//   device_send.h       from the TUN: plan, commit
//   device_queue.h      what no Work carries: queued packets and keepalives
//   device_receive.h    from the sockets: plan, commit
//   device_path.h       paths of peers and what waits for one
//   device_handshake.h  initiations, responses, cookies
//   device_timeout.h    timers
// Lifetime and threads: those of the Device, which owns it and alone lets others near it.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/deadline_heap.h"
#include "core/packet/icmp_error.h"
#include "core/packet/segmenter.h"
#include "core/wireguard/allowed_ips.h"
#include "core/wireguard/constants.h"
#include "core/wireguard/device.h"
#include "core/wireguard/device_work.h"
#include "core/wireguard/event_queue.h"
#include "core/wireguard/handshake_queue.h"
#include "core/wireguard/initiation_list.h"
#include "core/wireguard/peer_table.h"
#include "core/wireguard/rate_limiter.h"
#include "core/wireguard/tai64n.h"
#include "core/wireguard/train_builder.h"

namespace fireline::wireguard {

// A packet from the TUN that can be sent if somebody takes it.
struct PlannedPacket {
  packet::Segmenter segmenter;
  std::uint32_t packet = 0;  // in its batch
  Peer* peer = nullptr;
  std::uint32_t next_segment = 0;
  std::uint32_t next_packet = Peer::kNone;  // of the same peer
};

// Of one call to plan or commit; kept for the capacity. The look-ups are remembered because packets come in runs, and
// no longer than the call, because configuration may come behind it.
struct DeviceTurn {
  std::vector<PlannedPacket> planned;
  std::vector<Peer*> active;  // those with planned packets
  std::size_t expected_bytes = 0;

  std::uint32_t index = 0;
  Session* session = nullptr;  // of `index`; null: nothing remembered

  std::array<std::byte, 16> source{};
  std::size_t source_bytes = 0;  // 0: nothing remembered
  const AllowedIpsOwner* source_owner = nullptr;
};

struct DeviceState {
  DeviceState(const DeviceOptions& options, Now start, packet::BufferSource& large_buffers,
              packet::BufferSource& small_buffers, crypto::Random& random_source, crypto::Aead& own_aead);

  // After each event on a peer's timers. Without a path none runs: what is due waits for the path.
  void arm(Peer& peer) {
    const Instant earliest = peer.timers.earliest();
    if (earliest < deadlines.deadline_of(peer) && peer.path) deadlines.set(peer, earliest);
  }
  // Plaintext length on the wire: padded, but not beyond the MTU.
  [[nodiscard]] std::size_t padded_bytes(std::size_t bytes) const noexcept {
    const std::size_t aligned = (bytes + profile.padding - 1) / profile.padding * profile.padding;
    return std::max(bytes, std::min<std::size_t>(aligned, mtu));
  }
  // The peer's session that may seal so many messages, or null.
  [[nodiscard]] Session* usable_session(Now now, const Peer& peer, std::size_t messages) const noexcept {
    Session* session = peer.sessions.current();
    // Who answered the last handshake goes on until the initiator confirms it, also on a session of its own making.
    const Duration stop_after = peer.timers.initiated_last() ? profile.stop_using_after : kRejectAfterTime;
    return session != nullptr && session->may_send(now.boot, stop_after, messages) ? session : nullptr;
  }
  // An authentic message of the peer came from there. Profile::roaming alone.
  void follow_endpoint(Peer& peer, const Endpoint& source, const packet::LocalAddress& local);

  // Our source may be the trouble: let the kernel choose anew. One that was set with the path stays.
  void forget_local_address(Peer& peer) const noexcept {
    if (profile.roaming && peer.path) peer.path->local = {};
  }

  // An IP packet of the peer moves, or waits to.
  void note_data(Peer& peer, Instant now) {
    peer.last_data = now;
    if (peer.data_watched) report_data(peer);
  }
  void report(DeviceEvent::Kind kind, const Peer* peer);
  void report_data(Peer& peer);

  Profile profile;
  packet::BufferSource& large;
  packet::BufferSource& small;
  crypto::Random& random;
  crypto::Aead& aead;
  std::uint16_t mtu;
  bool queue_without_path;
  std::size_t queued_bytes_max;
  const ReturnPath* return_path;
  InnerPolicy* policy;
  bool up = false;
  Counters<DeviceCounter> counters;

  // With a private key.
  std::optional<StaticIdentity> identity;
  std::optional<CookieChecker> cookies;

  // Handshakes.
  LoadDetector load;
  bool loaded = false;
  std::optional<SourceLimiter> sources;  // LoadRule::queue_depth alone
  TimestampClock timestamps;
  HandshakeQueue handshakes;
  InitiationList wanted;
  Instant wanted_since{};  // when the list was last added to

  // Peers.
  Slab<Session> sessions;
  PeerTable peers;
  AllowedIps allowed_ips;
  DeadlineHeap<Peer> deadlines;
  Jitter jitter;
  std::vector<Peer*> flush_waiting;  // queues behind trains of an older session; each peer once
  std::size_t queued_packets = 0;    // of all peers
  std::size_t queued_bytes = 0;      // their buffers

  // Data.
  std::uint64_t works_planned = 0;  // seal works are numbered
  std::uint64_t works_committed = 0;
  TrainBuilder trains;
  packet::Coalescer coalescer;
  packet::IcmpRateLimiter icmp_limiter;
  DeviceTurn turn;
  EventQueue events;
};

}  // namespace fireline::wireguard
