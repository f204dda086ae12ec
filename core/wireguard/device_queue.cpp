#include "core/wireguard/device_queue.h"

#include <algorithm>
#include <array>

#include "core/wireguard/device_handshake.h"
#include "core/wireguard/device_send.h"
#include "core/wireguard/messages.h"

namespace fireline::wireguard {
namespace {
constexpr std::size_t kFlushJobs = 32;  // sealed in one call; a record of this many lies on the stack
}  // namespace

void queue_segments(DeviceState& state, Now now, Peer& peer, const PlannedPacket& planned, std::size_t count) {
  for (std::size_t done = 0; done < count; ++done) {
    const std::size_t segment = planned.next_segment + done;
    const std::size_t bytes = planned.segmenter.segment_length(segment);
    if (peer.queue.full()) {
      state.counters.add(DeviceCounter::drop_tun_queue_full);
      if (state.profile.queue == QueueRule::drop_newest) continue;
      (void)peer.queue.pop();
      --state.queued_packets;
    }
    const std::size_t room = state.padded_bytes(bytes) + kTransportOverheadBytes;
    packet::Buffer buffer = room <= state.small.buffer_bytes() ? state.small.acquire() : state.large.acquire();
    if (!buffer || buffer.capacity() < room) {
      state.counters.add(DeviceCounter::drop_tun_no_buffer);
      continue;
    }
    planned.segmenter.write(segment, buffer.data() + kTransportHeaderBytes);
    peer.queue.push(
        {.buffer = std::move(buffer), .bytes = static_cast<std::uint32_t>(bytes), .ecn = planned.segmenter.ecn()});
    ++state.queued_packets;
  }
  // With a session they only wait for older trains: flush_queue.
  if (state.usable_session(now, peer, 1) == nullptr) want_initiation(state, now, peer, Ask::data);
}

void flush_queue(DeviceState& state, Now now, Peer& peer, packet::Output& output) {
  if (peer.queue.empty() || !peer.endpoint) return;
  if (peer.last_planned_work > state.works_committed) {
    // Trains on an older session are still to be handed out: these packets came after them.
    if (!peer.flush_wanted) state.flush_waiting.push_back(&peer);
    peer.flush_wanted = true;
    return;
  }
  packet::UdpSendBatch& batch = output.udp(peer.endpoint->address.family());
  while (!peer.queue.empty()) {
    Session* session = state.usable_session(now, peer, kFlushJobs);
    if (session == nullptr) return want_initiation(state, now, peer, Ask::data);
    std::array<crypto::AeadJob, kFlushJobs> jobs;
    std::size_t count = 0;
    for (; count < jobs.size() && !peer.queue.empty(); ++count) {
      QueuedPacket packet = peer.queue.pop();
      const std::size_t padded = state.padded_bytes(packet.bytes);
      const Bytes message = packet.buffer.bytes().first(padded + kTransportOverheadBytes);
      const Bytes plaintext = message.subspan(kTransportHeaderBytes);
      std::fill_n(plaintext.data() + packet.bytes, padded - packet.bytes, std::byte{0});
      jobs[count] = {.key = &session->send_key,
                     .counter = session->next_counter++,
                     .data = plaintext.data(),
                     .bytes = static_cast<std::uint32_t>(padded)};
      write_transport_header(message, session->remote_index, jobs[count].counter);
      batch.trains.push_back({.bytes = message,
                              .segment_bytes = static_cast<std::uint16_t>(message.size()),
                              .ecn = packet.ecn,
                              .destination = *peer.endpoint,
                              .local = peer.local});
      batch.buffers.push_back(std::move(packet.buffer));
      peer.sent_bytes += message.size();
    }
    state.aead.seal(std::span(jobs).first(count));
    state.queued_packets -= count;
    state.counters.add(DeviceCounter::sealed, count);
  }
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
  if (!peer.endpoint) return false;
  std::array<std::byte, kTransportOverheadBytes> message;
  const std::uint64_t counter = session.next_counter++;
  write_transport_header(message, session.remote_index, counter);
  crypto::AeadJob job{.key = &session.send_key, .counter = counter, .data = message.data() + kTransportHeaderBytes};
  state.aead.seal({&job, 1});
  if (!send_message(state, message, *peer.endpoint, peer.local, output)) return false;
  state.counters.add(DeviceCounter::sent_keepalives);
  peer.sent_bytes += message.size();
  peer.timers.any_sent(now.boot);
  state.arm(peer);
  return true;
}

bool send_message(DeviceState& state, ConstBytes message, const Endpoint& destination,
                  const packet::LocalAddress& local, packet::Output& output) {
  packet::Buffer buffer = state.small.acquire();
  if (!buffer) {
    state.counters.add(DeviceCounter::unsent_no_buffer);
    return false;
  }
  const Bytes bytes = buffer.bytes().first(message.size());
  std::ranges::copy(message, bytes.begin());
  packet::UdpSendBatch& batch = output.udp(destination.address.family());
  batch.trains.push_back({.bytes = bytes,
                          .segment_bytes = static_cast<std::uint16_t>(bytes.size()),
                          .ecn = packet::Ecn::not_ect,
                          .destination = destination,
                          .local = local});
  batch.buffers.push_back(std::move(buffer));
  return true;
}

void clear_queue(DeviceState& state, Peer& peer) {
  state.counters.add(DeviceCounter::drop_tun_queue_cleared, peer.queue.size());
  state.queued_packets -= peer.queue.size();
  while (!peer.queue.empty()) (void)peer.queue.pop();
}

}  // namespace fireline::wireguard
