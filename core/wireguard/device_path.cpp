#include "core/wireguard/device_path.h"

#include "core/wireguard/device_handshake.h"
#include "core/wireguard/device_queue.h"

namespace fireline::wireguard {
namespace {

void flush_responses(DeviceState& state, Now now, Peer& peer, packet::Output& output);
void send_response(DeviceState& state, Peer& peer, const ResponseMessage& message, packet::Output& output);

}  // namespace

void set_path(DeviceState& state, Now now, const crypto::PublicKey& key, const std::optional<PeerPath>& path,
              packet::Output& output) {
  Peer* peer = state.peers.find(key);
  if (peer == nullptr) return;
#ifdef FIRELINE_PLANTED_OLD_PATH
  // A fault on purpose: the simulator shows that it finds it.
  if (path && peer->path && peer->path != path) peer->former_path = peer->path;
#endif
  const bool first = !peer->path && path;
  peer->path = path;
  if (!path) {
    peer->timers.path_lost();
    peer->initiation_postponed = false;
    return state.deadlines.remove(*peer);
  }
  if (!first || !state.up) return;
  flush_responses(state, now, *peer, output);
  flush_queue(state, now, *peer, output);
  state.arm(*peer);
}

bool initiate(DeviceState& state, Now now, const crypto::PublicKey& key) {
  Peer* peer = state.peers.find(key);
  if (peer == nullptr || peer->initiation_wanted || peer->initiating()) return false;
  want_initiation(state, now, *peer, Ask::data);
  return peer->initiation_wanted;
}

void send_or_hold_response(DeviceState& state, Peer& peer, const ResponseMessage& message, packet::Output& output) {
  if (peer.path) return send_response(state, peer, message, output);
  if (peer.held_responses.size() == kHeldResponses) {
    peer.held_responses.erase(peer.held_responses.begin());
    state.counters.add(DeviceCounter::unsent_no_path);
  }
  peer.held_responses.push_back(message);
}

std::optional<PeerPath> path_back(DeviceState& state, const QueuedHandshake& message) {
  if (!message.relayed) return PeerPath{.destination = message.source, .local = message.local};
  std::optional<PeerPath> path;
  if (state.return_path != nullptr) path = state.return_path->return_path(message.source, message.local);
  if (!path) state.counters.add(DeviceCounter::unsent_no_path);
  return path;
}

namespace {

void flush_responses(DeviceState& state, Now now, Peer& peer, packet::Output& output) {
  if (peer.held_responses.empty()) return;
  for (const ResponseMessage& message : peer.held_responses) send_response(state, peer, message, output);
  peer.held_responses = {};  // gives the memory back
  peer.timers.any_sent(now.boot);
}

void send_response(DeviceState& state, Peer& peer, const ResponseMessage& message, packet::Output& output) {
  if (!send_message(state, message, *peer.path, output)) return;
  state.counters.add(DeviceCounter::sent_responses);
  peer.sent_bytes += message.size();
}

}  // namespace

}  // namespace fireline::wireguard
