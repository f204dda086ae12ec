#include "core/wireguard/device_receive.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "core/packet/ecn.h"
#include "core/packet/ip_packet.h"
#include "core/wireguard/device_handshake.h"
#include "core/wireguard/device_queue.h"
#include "core/wireguard/goodbye.h"
#include "core/wireguard/messages.h"

namespace fireline::wireguard {
namespace {

#ifdef FIRELINE_PLANTED_BUG
// A wrong bound on purpose: tools/fuzz shows that the fuzz target finds it.
constexpr std::size_t kLeastDataBytes = kTransportHeaderBytes;
#else
constexpr std::size_t kLeastDataBytes = kTransportOverheadBytes;
#endif

// What packets of one session out of one receive buffer add up to.
struct ReceivedRun {
  Session* session = nullptr;
  std::uint32_t datagram = 0;
  std::uint64_t bytes = 0;  // of authentic messages
  bool any = false;
  bool data = false;
};

void prefetch_sessions(const DeviceState& state, const packet::UdpBatch& batch) noexcept;
void prefetch_sources(const DeviceState& state, const DeviceWork& work) noexcept;
void plan_datagram(DeviceState& state, Now now, Bytes datagram, std::uint32_t index, DeviceWork& work);
void plan_handshake(DeviceState& state, ConstBytes datagram, const packet::ReceivedDatagrams& from);
[[nodiscard]] std::optional<DeviceCounter> refuse_handshake(const DeviceState& state, ConstBytes datagram);
// False when the packet goes no further; it was counted then.
bool deliver(DeviceState& state, Now now, const Peer& peer, Bytes plaintext, packet::Ecn outer, packet::Output& output);
[[nodiscard]] const AllowedIpsOwner* owner_of(DeviceState& state, ConstBytes source) noexcept;
void finish_run(DeviceState& state, Now now, const ReceivedRun& run, const DeviceWork& work, packet::Output& output);
void keep_fresh_after_receiving(DeviceState& state, Now now, Peer& peer);

}  // namespace

void plan_udp(DeviceState& state, Now now, packet::UdpBatch& batch, DeviceWork& work) {
  work.kind = packet::Work::Kind::open;
  std::swap(work.received, batch);
  state.turn.session = nullptr;
  prefetch_sessions(state, work.received);
  for (std::uint32_t index = 0; index < work.received.datagrams.size(); ++index) {
    const packet::ReceivedDatagrams& received = work.received.datagrams[index];
    Bytes rest = received.bytes;
    if (rest.empty()) plan_datagram(state, now, rest, index, work);  // counts, too
    const std::size_t skip = received.skip;
    const std::size_t segment = received.segment_bytes == 0 ? rest.size() : received.segment_bytes;
    while (!rest.empty()) {
      const Bytes datagram = rest.first(std::min(segment, rest.size()));
      rest = rest.subspan(datagram.size());
      plan_datagram(state, now, datagram.subspan(std::min(skip, datagram.size())), index, work);
    }
  }
}

void commit_open(DeviceState& state, Now now, DeviceWork& work, packet::Output& output) {
  state.turn.source_bytes = 0;
  bool delivered = false;
  prefetch_sources(state, work);
  ReceivedRun run;
  for (std::size_t i = 0; i < work.jobs.size(); ++i) {
    const crypto::AeadJob& job = work.jobs[i];
    const OpenedPacket& opened = work.opened[i];
    if (i == 0 || opened.session != run.session || opened.datagram != run.datagram) {
      finish_run(state, now, run, work, output);
      run = {.session = opened.session, .datagram = opened.datagram};
    }
    const Peer* peer = opened.session->peer;
    if (peer == nullptr) {
      state.counters.add(DeviceCounter::drop_udp_session_gone);
      continue;
    }
    if (!job.authentic) {
      state.counters.add(DeviceCounter::drop_udp_not_authentic);
      continue;
    }
    if (!opened.session->replay.accept(job.counter)) {
      state.counters.add(DeviceCounter::drop_udp_replayed);
      continue;
    }
    run.any = true;
    run.bytes += job.bytes + kTransportOverheadBytes;
    if (job.bytes == 0) {
      state.counters.add(DeviceCounter::keepalives);
      continue;
    }
    run.data = true;
    const packet::Ecn outer = work.received.datagrams[opened.datagram].ecn;
    if (deliver(state, now, *peer, {job.data, job.bytes}, outer, output)) delivered = true;
  }
  finish_run(state, now, run, work, output);
  state.coalescer.finish(output.tun);
  if (delivered) std::ranges::move(work.received.buffers, std::back_inserter(output.tun.buffers));
}

namespace {

// Packets of many peers wait for all of these peers' memory at once, in three steps: what a table's slot leads to is
// known when the slot is there, and the slot guesses the session as well. Also worth it for a single packet: what its
// commit needs comes while it is opened.
void prefetch_sessions(const DeviceState& state, const packet::UdpBatch& batch) noexcept {
  const auto for_each = [&](auto&& visit) {
    for (const packet::ReceivedDatagrams& received : batch.datagrams) {
      const ConstBytes first =
          ConstBytes(received.bytes).subspan(std::min<std::size_t>(received.skip, received.bytes.size()));
      if (first.size() >= kTransportOverheadBytes) visit(load_le32(first, 4), load_le64(first, 8));
    }
  };
  for_each([&](std::uint32_t index, std::uint64_t) { state.peers.prefetch_index(index); });
  for_each([&](std::uint32_t index, std::uint64_t counter) {
    if (const Peer* peer = state.peers.find_by_index(index)) peer->prefetch_receiving(state.profile.roaming);
    if (const Session* session = state.peers.guess_session(index)) session->prefetch_receiving(counter);
  });
  for_each([&](std::uint32_t index, std::uint64_t counter) {
    const Peer* peer = state.peers.find_by_index(index);
    if (peer == nullptr) return;
    if (const Session* session = peer->sessions.find(index)) session->prefetch_receiving(counter);
  });
}

void prefetch_sources(const DeviceState& state, const DeviceWork& work) noexcept {
  if (state.policy != nullptr) return;
  const Session* last = nullptr;
  for (std::size_t i = 0; i < work.jobs.size(); ++i) {
    if (work.opened[i].session == last) continue;  // most likely of the same source
    last = work.opened[i].session;
    const auto header = packet::IpHeader::parse({work.jobs[i].data, work.jobs[i].bytes});
    if (work.jobs[i].authentic && header) state.allowed_ips.prefetch(header->source());
  }
}

void plan_datagram(DeviceState& state, Now now, Bytes datagram, std::uint32_t index, DeviceWork& work) {
  state.counters.add(DeviceCounter::udp_datagrams);
  if (!state.up) return state.counters.add(DeviceCounter::drop_udp_down);
  if (datagram.size() < kLeastDataBytes || load_le32(datagram, 0) != 4) {
    return plan_handshake(state, datagram, work.received.datagrams[index]);
  }
  const std::uint32_t receiver = load_le32(datagram, 4);
  const std::uint64_t counter = load_le64(datagram, 8);
  if (state.turn.session == nullptr || receiver != state.turn.index) {
    const Peer* peer = state.peers.find_by_index(receiver);
    state.turn.session = peer == nullptr ? nullptr : peer->sessions.find(receiver);
    state.turn.index = receiver;
    if (state.turn.session == nullptr) return state.counters.add(DeviceCounter::drop_udp_unknown_session);
    work.hold(state.turn.session);
    state.peers.note_session(receiver, state.turn.session);
  }
  if (!state.turn.session->may_receive(now.boot) || counter >= kRejectAfterMessages) {
    return state.counters.add(DeviceCounter::drop_udp_expired_session);
  }
  if (!state.turn.session->replay.acceptable(counter)) return state.counters.add(DeviceCounter::drop_udp_replayed);
  work.jobs.push_back({.key = &state.turn.session->receive_key,
                       .counter = counter,
                       .data = datagram.data() + kTransportHeaderBytes,
                       .bytes = static_cast<std::uint32_t>(datagram.size() - kTransportOverheadBytes)});
  work.opened.push_back({.session = state.turn.session, .datagram = index});
}

void plan_handshake(DeviceState& state, ConstBytes datagram, const packet::ReceivedDatagrams& from) {
  if (const auto refused = refuse_handshake(state, datagram)) return state.counters.add(*refused);
  if (!state.handshakes.push(datagram, from)) state.counters.add(DeviceCounter::drop_udp_handshake_queue_full);
}

// What may be known of a handshake message without a curve operation.
std::optional<DeviceCounter> refuse_handshake(const DeviceState& state, ConstBytes datagram) {
  const auto type = classify(datagram);
  if (!type || *type == MessageType::transport) return DeviceCounter::drop_udp_not_wireguard;
  if (!state.identity) return DeviceCounter::drop_udp_no_private_key;
  if (*type == MessageType::cookie_reply) {
    return state.peers.find_by_index(load_le32(datagram, 4)) == nullptr
               ? std::optional(DeviceCounter::drop_udp_bad_cookie_reply)
               : std::nullopt;
  }
  const auto macs = MacFields::parse(datagram);
  if (!macs || !state.cookies->mac1_valid(*macs)) return DeviceCounter::drop_udp_bad_mac1;
  return std::nullopt;
}

bool deliver(DeviceState& state, Now now, const Peer& peer, Bytes plaintext, packet::Ecn outer,
             packet::Output& output) {
  const auto header = packet::IpHeader::parse(plaintext);
  if (!header) {
    state.counters.add(DeviceCounter::drop_udp_bad_packet);
    return false;
  }
  if (state.profile.goodbyes && is_goodbye(header->bytes())) {
    state.counters.add(DeviceCounter::goodbyes);
    state.report(DeviceEvent::Kind::goodbye_received, &peer);
    return false;
  }
  const Bytes packet = plaintext.first(header->size());  // padding goes
  if (state.policy != nullptr) {
    if (!state.policy->admit(now, peer.public_key, *header, packet)) {
      state.counters.add(DeviceCounter::drop_udp_refused);
      return false;
    }
  } else if (owner_of(state, header->source()) != &peer) {
    state.counters.add(DeviceCounter::drop_udp_disallowed_source);
    return false;
  }
  packet::merge_ecn(packet, outer);
  state.counters.add(DeviceCounter::opened);
  state.coalescer.add(packet, output.tun);
  return true;
}

const AllowedIpsOwner* owner_of(DeviceState& state, ConstBytes source) noexcept {
  DeviceTurn& turn = state.turn;
  if (source.size() != turn.source_bytes || std::memcmp(source.data(), turn.source.data(), source.size()) != 0) {
    std::ranges::copy(source, turn.source.begin());
    turn.source_bytes = source.size();
    turn.source_owner = state.allowed_ips.find(source);
  }
  return turn.source_owner;
}

// What counts once per receive buffer rather than per packet.
void finish_run(DeviceState& state, Now now, const ReceivedRun& run, const DeviceWork& work, packet::Output& output) {
  if (!run.any) return;
  Peer* peer = run.session->peer;
  if (peer == nullptr) return;
  const packet::ReceivedDatagrams& from = work.received.datagrams[run.datagram];
  peer->received_bytes += run.bytes;
  state.follow_endpoint(*peer, from.source, from.local);
  peer->timers.any_received(now.boot);
  if (run.data) {
    state.note_data(*peer, now.boot);
    peer->timers.data_received(now.boot, state.jitter);
  }
  state.arm(*peer);
  if (peer->sessions.confirm(*run.session)) {
    complete_handshake(state, now, *peer);
    flush_queue(state, now, *peer, output);
  }
  keep_fresh_after_receiving(state, now, *peer);
}

void keep_fresh_after_receiving(DeviceState& state, Now now, Peer& peer) {
  constexpr Duration kLate = kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout;
  const Session* session = peer.sessions.current();
  if (state.profile.rekey_by_age || peer.late_initiation_wanted || session == nullptr) return;
  if (!session->initiator || !session->older_than(kLate, now.boot)) return;
  peer.late_initiation_wanted = true;
  want_initiation(state, now, peer, Ask::data);
}

}  // namespace

}  // namespace fireline::wireguard
