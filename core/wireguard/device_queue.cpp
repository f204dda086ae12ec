#include "core/wireguard/device_queue.h"

#include <algorithm>
#include <array>

#include "core/wireguard/device_handshake.h"
#include "core/wireguard/device_send.h"
#include "core/wireguard/messages.h"

namespace fireline::wireguard {
namespace {
constexpr std::size_t kFlushJobs = 32;  // sealed in one call; a record of this many lies on the stack

[[nodiscard]] bool make_room(DeviceState& state, Peer& peer);
[[nodiscard]] QueuedPacket take_queued(DeviceState& state, Peer& peer) noexcept;
[[nodiscard]] packet::Buffer take_buffer(DeviceState& state, std::size_t bytes);
void send_buffer(packet::Buffer buffer, Bytes message, packet::Ecn ecn, const PeerPath& path, packet::Output& output);

}  // namespace

void queue_segments(DeviceState& state, Now now, Peer& peer, const PlannedPacket& planned, std::size_t count) {
  for (std::size_t done = 0; done < count; ++done) {
    const std::size_t segment = planned.next_segment + done;
    const std::size_t bytes = planned.segmenter.segment_length(segment);
    if (!make_room(state, peer)) continue;
    const std::size_t room = stun::kChannelHeaderBytes + state.padded_bytes(bytes) + kTransportOverheadBytes;
    packet::Buffer buffer = take_buffer(state, room);
    if (!buffer) {
      state.counters.add(DeviceCounter::drop_tun_no_buffer);
      continue;
    }
    if (state.queued_bytes + buffer.capacity() > state.queued_bytes_max) {
      state.counters.add(DeviceCounter::drop_tun_queue_bytes);
      continue;
    }
    state.queued_bytes += buffer.capacity();
    planned.segmenter.write(segment, buffer.data() + kQueuedHeadBytes);
    peer.queue.push(
        {.buffer = std::move(buffer), .bytes = static_cast<std::uint32_t>(bytes), .ecn = planned.segmenter.ecn()});
    ++state.queued_packets;
  }
  state.note_data(peer, now.boot);
  // With a session they only wait for older trains: flush_queue.
  if (state.usable_session(now, peer, 1) == nullptr) want_initiation(state, now, peer, Ask::data);
}

void flush_queue(DeviceState& state, Now now, Peer& peer, packet::Output& output) {
  if (peer.queue.empty() || !peer.path) return;
  if (peer.last_planned_work > state.works_committed) {
    // Trains on an older session are still to be handed out: these packets came after them.
    if (!peer.flush_wanted) state.flush_waiting.push_back(&peer);
    peer.flush_wanted = true;
    return;
  }
  const PeerPath& path = *peer.path;
  while (!peer.queue.empty()) {
    Session* session = state.usable_session(now, peer, kFlushJobs);
    if (session == nullptr) return want_initiation(state, now, peer, Ask::data);
    std::array<crypto::AeadJob, kFlushJobs> jobs;
    std::size_t count = 0;
    for (; count < jobs.size() && !peer.queue.empty(); ++count) {
      QueuedPacket packet = take_queued(state, peer);
      const std::size_t padded = state.padded_bytes(packet.bytes);
      const Bytes message = packet.buffer.bytes().subspan(stun::kChannelHeaderBytes, padded + kTransportOverheadBytes);
      const Bytes plaintext = message.subspan(kTransportHeaderBytes);
      std::fill_n(plaintext.data() + packet.bytes, padded - packet.bytes, std::byte{0});
      jobs[count] = {.key = &session->send_key,
                     .counter = session->next_counter++,
                     .data = plaintext.data(),
                     .bytes = static_cast<std::uint32_t>(padded)};
      write_transport_header(message, session->remote_index, jobs[count].counter);
      send_buffer(std::move(packet.buffer), message, packet.ecn, path, output);
      peer.sent_bytes += message.size();
    }
    state.aead.seal(std::span(jobs).first(count));
    state.counters.add(DeviceCounter::sealed, count);
  }
  state.note_data(peer, now.boot);
  peer.timers.any_sent(now.boot);
  peer.timers.data_sent(now.boot, state.jitter);
  state.arm(peer);
}

void flush_waiting_queues(DeviceState& state, Now now, packet::Output& output) {
  // flush_queue may put a peer back to the list: take the list away first.
  const std::size_t count = state.flush_waiting.size();
  for (std::size_t i = 0; i < count; ++i) {
    Peer* peer = state.flush_waiting[i];
    peer->flush_wanted = false;
    flush_queue(state, now, *peer, output);
  }
  state.flush_waiting.erase(state.flush_waiting.begin(),
                            state.flush_waiting.begin() + static_cast<std::ptrdiff_t>(count));
}

void send_keepalive(DeviceState& state, Now now, Peer& peer, packet::Output& output) {
  if (!peer.queue.empty()) return flush_queue(state, now, peer, output);
  Session* session = state.usable_session(now, peer, 1);
  if (session == nullptr) return want_initiation(state, now, peer, Ask::data);
  if (seal_keepalive(state, now, peer, *session, output)) keep_fresh_after_sending(state, now, peer, *session);
}

bool seal_keepalive(DeviceState& state, Now now, Peer& peer, Session& session, packet::Output& output) {
  if (!peer.path) return false;
  std::array<std::byte, kTransportOverheadBytes> message;
  const std::uint64_t counter = session.next_counter++;
  write_transport_header(message, session.remote_index, counter);
  crypto::AeadJob job{.key = &session.send_key, .counter = counter, .data = message.data() + kTransportHeaderBytes};
  state.aead.seal({&job, 1});
  if (!send_message(state, message, *peer.path, output)) return false;
  state.counters.add(DeviceCounter::sent_keepalives);
  peer.sent_bytes += message.size();
  peer.timers.any_sent(now.boot);
  state.arm(peer);
  return true;
}

bool send_packet(DeviceState& state, Now now, const crypto::PublicKey& key, ConstBytes packet, packet::Output& output) {
  Peer* peer = state.peers.find(key);
  Session* session = peer == nullptr || !peer->path ? nullptr : state.usable_session(now, *peer, 1);
  const std::size_t padded = state.padded_bytes(packet.size());
  if (session == nullptr || packet.size() > state.mtu) {
    state.counters.add(DeviceCounter::unsent_no_session);
    return false;
  }
  packet::Buffer buffer = take_buffer(state, stun::kChannelHeaderBytes + padded + kTransportOverheadBytes);
  if (!buffer) {
    state.counters.add(DeviceCounter::unsent_no_buffer);
    return false;
  }
  const Bytes message = buffer.bytes().subspan(stun::kChannelHeaderBytes, padded + kTransportOverheadBytes);
  const Bytes plaintext = message.subspan(kTransportHeaderBytes, padded);
  std::ranges::copy(packet, plaintext.begin());
  std::ranges::fill(plaintext.subspan(packet.size()), std::byte{0});
  const std::uint64_t counter = session->next_counter++;
  write_transport_header(message, session->remote_index, counter);
  crypto::AeadJob job{.key = &session->send_key,
                      .counter = counter,
                      .data = plaintext.data(),
                      .bytes = static_cast<std::uint32_t>(padded)};
  state.aead.seal({&job, 1});
  send_buffer(std::move(buffer), message, packet::Ecn::not_ect, *peer->path, output);
  state.counters.add(DeviceCounter::sent_packets);
  peer->sent_bytes += message.size();
  state.note_data(*peer, now.boot);
  peer->timers.any_sent(now.boot);
  peer->timers.data_sent(now.boot, state.jitter);
  state.arm(*peer);
  return true;
}

bool send_message(DeviceState& state, ConstBytes message, const PeerPath& path, packet::Output& output) {
  packet::Buffer buffer = state.small.acquire();
  if (!buffer) {
    state.counters.add(DeviceCounter::unsent_no_buffer);
    return false;
  }
  const Bytes bytes = buffer.bytes().subspan(stun::kChannelHeaderBytes, message.size());
  std::ranges::copy(message, bytes.begin());
  send_buffer(std::move(buffer), bytes, packet::Ecn::not_ect, path, output);
  return true;
}

void clear_queue(DeviceState& state, Peer& peer) {
  state.counters.add(DeviceCounter::drop_tun_queue_cleared, peer.queue.size());
  while (!peer.queue.empty()) (void)take_queued(state, peer);
}

namespace {

// False when the packet at hand is to be dropped; what goes was counted.
bool make_room(DeviceState& state, Peer& peer) {
  const bool waits_for_path = !peer.path && peer.queue.size() >= kQueuedWithoutPath;
  if (!peer.queue.full() && !waits_for_path) return true;
  state.counters.add(DeviceCounter::drop_tun_queue_full);
  if (peer.path && state.profile.queue == QueueRule::drop_newest) return false;
  (void)take_queued(state, peer);
  return true;
}

QueuedPacket take_queued(DeviceState& state, Peer& peer) noexcept {
  QueuedPacket packet = peer.queue.pop();
  --state.queued_packets;
  state.queued_bytes -= packet.buffer.capacity();
  return packet;
}

packet::Buffer take_buffer(DeviceState& state, std::size_t bytes) {
  packet::Buffer buffer = bytes <= state.small.buffer_bytes() ? state.small.acquire() : state.large.acquire();
  return buffer && buffer.capacity() >= bytes ? std::move(buffer) : packet::Buffer();
}

// `message` lies behind kChannelHeaderBytes of the buffer.
void send_buffer(packet::Buffer buffer, Bytes message, packet::Ecn ecn, const PeerPath& path, packet::Output& output) {
  Bytes datagram = message;
  if (path.channel) {
    datagram = buffer.bytes().first(stun::kChannelHeaderBytes + message.size());
    stun::write_channel_header(datagram, *path.channel, static_cast<std::uint16_t>(message.size()));
  }
  packet::UdpSendBatch& batch = output.udp(path.family());
  batch.trains.push_back({.bytes = datagram,
                          .segment_bytes = static_cast<std::uint16_t>(datagram.size()),
                          .ecn = ecn,
                          .destination = path.destination,
                          .local = path.local});
  batch.buffers.push_back(std::move(buffer));
}

}  // namespace

}  // namespace fireline::wireguard
