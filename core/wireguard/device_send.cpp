#include "core/wireguard/device_send.h"

#include <algorithm>
#include <iterator>

#include "core/packet/ip_packet.h"
#include "core/stun/channel_data.h"
#include "core/wireguard/device_handshake.h"
#include "core/wireguard/device_queue.h"
#include "core/wireguard/messages.h"

namespace fireline::wireguard {
namespace {

static_assert(kTransportTagBytes == crypto::kTagBytes);

void take_packets(DeviceState& state, Now now, const packet::TunBatch& batch, DeviceWork& work);
void find_peers(DeviceState& state) noexcept;
void chain_packets(DeviceState& state, Now now, const packet::TunBatch& batch, DeviceWork& work);
void answer_with_error(DeviceState& state, Now now, packet::IcmpReason reason, const packet::TunPacket& packet,
                       DeviceWork& work);
void plan_rounds(DeviceState& state, Now now, DeviceWork& work);
void plan_peer(DeviceState& state, Now now, Peer& peer, std::size_t budget, DeviceWork& work);
std::size_t plan_segments(DeviceState& state, Peer& peer, Session& session, const PlannedPacket& planned,
                          std::size_t count, DeviceWork& work);
void write_channel_headers(const PlannedTrain& planned) noexcept;
void hand_out_errors(DeviceState& state, DeviceWork& work, packet::Output& output);

}  // namespace

void plan_tun(DeviceState& state, Now now, packet::TunBatch& batch, DeviceWork& work) {
  work.kind = packet::Work::Kind::seal;
  work.number = ++state.works_planned;
  state.turn.expected_bytes = 0;
  take_packets(state, now, batch, work);
  find_peers(state);
  chain_packets(state, now, batch, work);
  if (!state.turn.active.empty()) {
    state.trains.begin(work, state.turn.expected_bytes);
    plan_rounds(state, now, work);
  }
  state.turn.planned.clear();
  batch.clear();
}

void commit_seal(DeviceState& state, Now now, DeviceWork& work, packet::Output& output) {
  state.works_committed = std::max(state.works_committed, work.number);
  std::array<bool, 2> used{};
  for (const PlannedTrain& planned : work.trains) {
    Peer* peer = planned.session->peer;
    if (peer == nullptr) {
      state.counters.add(DeviceCounter::drop_tun_session_gone, planned.datagrams);
      continue;
    }
    const Family family = planned.train.destination.address.family();
    output.udp(family).trains.push_back(planned.train);
    used[static_cast<std::size_t>(family)] = true;
    state.counters.add(DeviceCounter::sealed, planned.datagrams);
    peer->sent_bytes += planned.train.bytes.size();
    if (planned.channel) {
      write_channel_headers(planned);
      peer->sent_bytes -= planned.datagrams * stun::kChannelHeaderBytes;
    }
    state.note_data(*peer, now.boot);
    peer->timers.any_sent(now.boot);
    peer->timers.data_sent(now.boot, state.jitter);
    state.arm(*peer);
    keep_fresh_after_sending(state, now, *peer, *planned.session);
  }
  for (const Family family : {Family::v4, Family::v6}) {
    if (!used[static_cast<std::size_t>(family)]) continue;
    auto& buffers = work.arenas[static_cast<std::size_t>(family)].buffers;
    std::ranges::move(buffers, std::back_inserter(output.udp(family).buffers));
  }
  hand_out_errors(state, work, output);
  flush_waiting_queues(state, now, output);
}

void keep_fresh_after_sending(DeviceState& state, Now now, Peer& peer, const Session& session) {
  if (&session != peer.sessions.current()) return;
  const bool old = !state.profile.rekey_by_age && session.initiator && session.older_than(kRekeyAfterTime, now.boot);
  if (old || session.next_counter > kRekeyAfterMessages) want_initiation(state, now, peer, Ask::data);
}

namespace {

// As prefetch_sessions() of device_receive.cpp, the packets of a turn go through three steps, each of which asks for
// the memory of the next: the table's slot, the peer, its session, which the slot guesses as well. Packets in a row to
// the same destination ask once.
void take_packets(DeviceState& state, Now now, const packet::TunBatch& batch, DeviceWork& work) {
  ConstBytes last;
  for (std::uint32_t i = 0; i < batch.packets.size(); ++i) {
    const packet::TunPacket& packet = batch.packets[i];
    const auto segmenter = packet::Segmenter::make(packet);
    if (!segmenter) {
      state.counters.add(DeviceCounter::tun_segments);
      const bool no_packet = segmenter.error() == packet::SegmentError::bad_packet;
      state.counters.add(no_packet ? DeviceCounter::drop_tun_bad_packet : DeviceCounter::drop_tun_bad_segmentation);
      continue;
    }
    const std::size_t count = segmenter->segment_count();
    state.counters.add(DeviceCounter::tun_segments, count);
    if (!state.up) {
      state.counters.add(DeviceCounter::drop_tun_down, count);
      continue;
    }
    if (segmenter->segment_length(0) > state.mtu) {
      answer_with_error(state, now, packet::IcmpReason::too_big, packet, work);
      state.counters.add(DeviceCounter::drop_tun_too_big, count);
      continue;
    }
    const ConstBytes destination = segmenter->destination();
    if (!std::ranges::equal(destination, last)) state.allowed_ips.prefetch(destination);
    last = destination;
    state.turn.planned.push_back({.segmenter = *segmenter, .packet = i});
  }
}

void find_peers(DeviceState& state) noexcept {
  ConstBytes last;
  Peer* peer = nullptr;
  for (PlannedPacket& planned : state.turn.planned) {
    const ConstBytes destination = planned.segmenter.destination();
    if (!std::ranges::equal(destination, last)) {
      peer = static_cast<Peer*>(state.allowed_ips.find(destination));
      if (peer != nullptr) peer->prefetch_sending();
      if (const Session* session = state.allowed_ips.guess_session(destination)) session->prefetch_sending();
    }
    last = destination;
    planned.peer = peer;
  }
}

// The chains keep the order of arrival inside a peer.
void chain_packets(DeviceState& state, Now now, const packet::TunBatch& batch, DeviceWork& work) {
  for (std::uint32_t index = 0; index < state.turn.planned.size(); ++index) {
    const PlannedPacket& planned = state.turn.planned[index];
    const std::size_t count = planned.segmenter.segment_count();
    Peer* const peer = planned.peer;
    if (peer == nullptr || (!peer->path && !state.queue_without_path)) {
      // A path that is being looked for is no reason for an application to give up.
      if (peer == nullptr || state.profile.roaming)
        answer_with_error(state, now, packet::IcmpReason::no_route, batch.packets[planned.packet], work);
      state.counters.add(peer == nullptr ? DeviceCounter::drop_tun_no_peer : DeviceCounter::drop_tun_no_endpoint,
                         count);
      continue;
    }
    if (peer->first_planned == Peer::kNone) {
      if (const Session* session = peer->sessions.current()) {
        session->prefetch_sending();
        state.allowed_ips.note_session(planned.segmenter.destination(), session);
      }
      peer->first_planned = index;
      state.turn.active.push_back(peer);
    } else {
      state.turn.planned[peer->last_planned].next_packet = index;
    }
    peer->last_planned = index;
    const std::size_t header_bytes = peer->path ? peer->path->header_bytes() : 0;
    state.turn.expected_bytes +=
        count * (header_bytes + state.padded_bytes(planned.segmenter.segment_length(0)) + kTransportOverheadBytes);
  }
}

void answer_with_error(DeviceState& state, Now now, packet::IcmpReason reason, const packet::TunPacket& packet,
                       DeviceWork& work) {
  if (!state.icmp_limiter.allow(now.boot)) return state.counters.add(DeviceCounter::unsent_icmp_limited);
  packet::Buffer buffer = state.small.acquire();
  if (!buffer) return state.counters.add(DeviceCounter::unsent_no_buffer);
  const auto header = packet::IpHeader::parse(packet.bytes);
  if (!header) return state.counters.add(DeviceCounter::unsent_icmp_limited);
  const auto bytes =
      packet::build_icmp_error(reason, state.mtu, header->destination_address(), packet.bytes, buffer.bytes());
  if (!bytes) return state.counters.add(DeviceCounter::unsent_icmp_limited);
  work.errors.push_back(ConstBytes(buffer.bytes()).first(*bytes));
  work.error_buffers.push_back(std::move(buffer));
}

// Round robin: nobody waits for more than one train of each other peer.
void plan_rounds(DeviceState& state, Now now, DeviceWork& work) {
  while (!state.turn.active.empty()) {
    const std::size_t budget = state.turn.active.size() == 1 ? SIZE_MAX : kSealRoundPackets;
    for (Peer* peer : state.turn.active) plan_peer(state, now, *peer, budget, work);
    std::erase_if(state.turn.active, [](const Peer* peer) { return peer->first_planned == Peer::kNone; });
  }
}

void plan_peer(DeviceState& state, Now now, Peer& peer, std::size_t budget, DeviceWork& work) {
  while (budget > 0 && peer.first_planned != Peer::kNone) {
    PlannedPacket& planned = state.turn.planned[peer.first_planned];
    const std::size_t count = std::min(budget, planned.segmenter.segment_count() - planned.next_segment);
    // Behind packets that wait, others wait as well: order.
    Session* session = peer.queue.empty() && peer.path ? state.usable_session(now, peer, count) : nullptr;
    if (session == nullptr) {
      queue_segments(state, now, peer, planned, count);
    } else if (const std::size_t placed = plan_segments(state, peer, *session, planned, count, work); placed < count) {
      state.counters.add(DeviceCounter::drop_tun_no_buffer, count - placed);
    }
    budget -= count;
    planned.next_segment += static_cast<std::uint32_t>(count);
    if (planned.next_segment == planned.segmenter.segment_count()) peer.first_planned = planned.next_packet;
  }
}

// Writes `count` segments to their places and lists their jobs; stops at the first without a buffer.
std::size_t plan_segments(DeviceState& state, Peer& peer, Session& session, const PlannedPacket& planned,
                          std::size_t count, DeviceWork& work) {
  const packet::Ecn ecn = planned.segmenter.ecn();
  for (std::size_t done = 0; done < count; ++done) {
    const std::size_t segment = planned.next_segment + done;
    const std::size_t bytes = planned.segmenter.segment_length(segment);
    const std::size_t padded = state.padded_bytes(bytes);
    std::byte* message = state.trains.place(peer, session, ecn, padded + kTransportOverheadBytes);
    if (message == nullptr) return done;
    std::byte* plaintext = message + kTransportHeaderBytes;
    const std::uint64_t counter = session.next_counter++;
    write_transport_header({message, kTransportHeaderBytes}, session.remote_index, counter);
    planned.segmenter.write(segment, plaintext);
    std::fill_n(plaintext + bytes, padded - bytes, std::byte{0});
    work.jobs.push_back(
        {.key = &session.send_key, .counter = counter, .data = plaintext, .bytes = static_cast<std::uint32_t>(padded)});
  }
  return count;
}

// With the commit and not with each message, so that direct trains do not pay for it.
void write_channel_headers(const PlannedTrain& planned) noexcept {
  for (Bytes rest = planned.train.bytes; !rest.empty();) {
    const Bytes datagram = rest.first(std::min<std::size_t>(planned.train.segment_bytes, rest.size()));
    stun::write_channel_header(datagram, *planned.channel,
                               static_cast<std::uint16_t>(datagram.size() - stun::kChannelHeaderBytes));
    rest = rest.subspan(datagram.size());
  }
}

void hand_out_errors(DeviceState& state, DeviceWork& work, packet::Output& output) {
  for (const ConstBytes error : work.errors) {
    packet::TunWrite write;
    write.first_slice = static_cast<std::uint32_t>(output.tun.slices.size());
    write.slice_count = 1;
    output.tun.slices.push_back(error);
    output.tun.packets.push_back(write);
    state.counters.add(DeviceCounter::sent_icmp_errors);
  }
  std::ranges::move(work.error_buffers, std::back_inserter(output.tun.buffers));
}

}  // namespace

}  // namespace fireline::wireguard
