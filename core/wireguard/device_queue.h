// What leaves without a Work: packets that waited for a session, and keepalives. Sealed by the device's own Aead.
// Part of a Device: see device_state.h for lifetime and threads.
#pragma once
#include "core/wireguard/device_state.h"

namespace fireline::wireguard {

// Copies the next `count` segments into the peer's queue, and asks for a session when there is none but a path.
void queue_segments(DeviceState& state, Now now, Peer& peer, const PlannedPacket& planned, std::size_t count);

// Sends what waits, if there are a session and a path. While trains of an older session are between plan and commit, it
// only notes the wish, so that packets keep their order; flush_waiting_queues follows it after each commit.
void flush_queue(DeviceState& state, Now now, Peer& peer, packet::Output& output);
void flush_waiting_queues(DeviceState& state, Now now, packet::Output& output);
// Drops and counts what waits.
void clear_queue(DeviceState& state, Peer& peer);

// Sends what waits instead, if something does; asks for a session when there is none.
void send_keepalive(DeviceState& state, Now now, Peer& peer, packet::Output& output);
// On this session in any case. False when there is no path or no buffer.
bool seal_keepalive(DeviceState& state, Now now, Peer& peer, Session& session, packet::Output& output);

// Any message of ours in a small buffer of its own; false, and counted, when there is none.
bool send_message(DeviceState& state, ConstBytes message, const PeerPath& path, packet::Output& output);

// An IP packet of our own through the session, at once; counted when it cannot leave.
bool send_packet(DeviceState& state, Now now, const crypto::PublicKey& key, ConstBytes packet, packet::Output& output);

}  // namespace fireline::wireguard
