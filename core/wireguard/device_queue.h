// What leaves without a Work: packets that waited for a session, and keepalives. Sealed by the device's own Aead.
// Part of a Device: see device_state.h for lifetime and threads.
#pragma once
#include "core/wireguard/device_state.h"

namespace fireline::wireguard {

// Copies the next `count` segments into the peer's queue, and asks for a session when there is none.
void queue_segments(DeviceState& state, Now now, Peer& peer, const PlannedPacket& planned, std::size_t count);

// Sends what waits, if there is a session. While trains of an older session are between plan and commit, it only
// notes the wish, so that packets keep their order; flush_waiting_queues follows it after each commit.
void flush_queue(DeviceState& state, Now now, Peer& peer, packet::Output& output);
void flush_waiting_queues(DeviceState& state, Now now, packet::Output& output);
// Drops and counts what waits.
void clear_queue(DeviceState& state, Peer& peer);

// Sends what waits instead, if something does; asks for a session when there is none.
void send_keepalive(DeviceState& state, Now now, Peer& peer, packet::Output& output);
// On this session in any case. False when there is no endpoint or no buffer.
bool seal_keepalive(DeviceState& state, Now now, Peer& peer, Session& session, packet::Output& output);

// Any message of ours in a small buffer of its own; false, and counted, when there is none.
bool send_message(DeviceState& state, ConstBytes message, const Endpoint& destination,
                  const packet::LocalAddress& local, packet::Output& output);

}  // namespace fireline::wireguard
