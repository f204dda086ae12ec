#include "core/wireguard/device_configure.h"

#include <utility>
#include <vector>

#include "core/wireguard/device_queue.h"

namespace fireline::wireguard {
namespace {

void set_private_key(DeviceState& state, Now now, const crypto::Key& key);
bool apply_peer(DeviceState& state, Now now, const PeerUpdate& update, packet::Output& output);
void set_persistent_keepalive(DeviceState& state, Now now, Peer& peer, std::uint16_t seconds, packet::Output& output);
void remove_peer(DeviceState& state, Peer& peer);
void clear_handshakes(DeviceState& state);

}  // namespace

bool apply_update(DeviceState& state, Now now, const DeviceUpdate& update, packet::Output& output) {
  bool complete = true;
  if (update.private_key) set_private_key(state, now, *update.private_key);
  if (update.replace_peers) {
    while (state.peers.size() != 0) remove_peer(state, *state.peers.peers().back());
  }
  for (const PeerUpdate& peer : update.peers) complete = apply_peer(state, now, peer, output) && complete;
  return complete;
}

DeviceStatus status_of(const DeviceState& state) {
  DeviceStatus status;
  if (state.identity) {
    status.private_key = state.identity->private_key();
    status.public_key = state.identity->public_key();
  }
  status.peers.reserve(state.peers.size());
  for (const auto& peer : state.peers.peers()) {
    PeerStatus& shown = status.peers.emplace_back();
    shown.public_key = peer->public_key;
    shown.preshared_key = peer->preshared_key;
    if (peer->path) shown.endpoint = peer->path->destination;
    shown.last_handshake = peer->last_handshake;
    shown.received_bytes = peer->received_bytes;
    shown.sent_bytes = peer->sent_bytes;
    shown.persistent_keepalive_seconds = peer->persistent_keepalive_seconds;
    state.allowed_ips.for_each(*peer, [&](const Prefix& prefix) { shown.allowed_ips.push_back(prefix); });
  }
  return status;
}

void set_up(DeviceState& state, Now now, bool up, packet::Output& output) {
  if (up == state.up) return;
  state.up = up;
  if (up) {
    for (const auto& peer : state.peers.peers()) {
      if (state.profile.expiry_fails_peer) peer->timers.set_zero_keys(now.boot);
      peer->timers.set_persistent_keepalive(now.boot, peer->persistent_keepalive_seconds, true);
      if (peer->persistent_keepalive_seconds != 0) send_keepalive(state, now, *peer, output);
      state.arm(*peer);
    }
    return;
  }
  clear_handshakes(state);
  state.wanted.clear();
  state.flush_waiting.clear();
  for (const auto& peer : state.peers.peers()) {
    forget_sessions(*peer);
    clear_queue(state, *peer);
    peer->timers.stop();
    state.deadlines.remove(*peer);
    peer->initiation_postponed = false;
    peer->flush_wanted = false;
  }
}

void forget_local_addresses(DeviceState& state) noexcept {
  for (const auto& peer : state.peers.peers()) state.forget_local_address(*peer);
}

void forget_sessions(Peer& peer) {
  peer.sessions.clear();
  peer.forget_handshakes();
  // A new handshake may begin at once, whatever was sent under the old keys.
  peer.last_handshake_sent.reset();
}

namespace {

// The same key again changes nothing, so that `wg syncconf` does not break sessions.
void set_private_key(DeviceState& state, Now now, const crypto::Key& key) {
  std::optional<StaticIdentity> identity;
  if (!key.is_zero()) identity.emplace(key);
  if (identity.has_value() == state.identity.has_value() &&
      (!identity || identity->private_key() == state.identity->private_key())) {
    return;
  }
  if (identity) {
    if (Peer* self = state.peers.find(identity->public_key()); self != nullptr) remove_peer(state, *self);
  }
  state.identity = std::move(identity);
  state.cookies.reset();
  if (state.identity) state.cookies.emplace(*state.identity, state.profile.cookie, now.boot, state.random);
  clear_handshakes(state);
  for (const auto& peer : state.peers.peers()) {
    forget_sessions(*peer);
    peer->remote.reset();
    peer->cookies.reset();
  }
}

bool apply_peer(DeviceState& state, Now now, const PeerUpdate& update, packet::Output& output) {
  if (state.identity && update.public_key == state.identity->public_key()) return true;
  Peer* peer = state.peers.find(update.public_key);
  if (update.remove) {
    if (peer != nullptr) remove_peer(state, *peer);
    return true;
  }
  if (peer == nullptr) {
    if (update.update_only) return true;
    peer = state.peers.create(update.public_key, state.profile, state.random);
    if (peer == nullptr) return false;
    if (state.up && state.profile.expiry_fails_peer) peer->timers.set_zero_keys(now.boot);
    state.report(DeviceEvent::Kind::peer_created, peer);
  }
  if (update.preshared_key) peer->preshared_key = *update.preshared_key;
  if (update.endpoint) {
    peer->path = {.destination = *update.endpoint};
  }
  bool complete = true;
  if (update.replace_allowed_ips) state.allowed_ips.remove_all(*peer);
  for (const AllowedIpUpdate& allowed : update.allowed_ips) {
    if (allowed.remove) {
      state.allowed_ips.remove(allowed.prefix, *peer);
    } else {
      complete = state.allowed_ips.insert(allowed.prefix, *peer) && complete;
    }
  }
  if (update.persistent_keepalive_seconds && state.profile.persistent_keepalive) {
    set_persistent_keepalive(state, now, *peer, *update.persistent_keepalive_seconds, output);
  }
  if (state.up) flush_queue(state, now, *peer, output);
  state.arm(*peer);
  return complete;
}

void set_persistent_keepalive(DeviceState& state, Now now, Peer& peer, std::uint16_t seconds, packet::Output& output) {
  const bool starts = state.up && peer.persistent_keepalive_seconds == 0 && seconds != 0;
  peer.persistent_keepalive_seconds = seconds;
  peer.timers.set_persistent_keepalive(now.boot, seconds, state.up);
  if (starts) send_keepalive(state, now, peer, output);
}

void remove_peer(DeviceState& state, Peer& peer) {
  state.allowed_ips.remove_all(peer);
  forget_sessions(peer);
  clear_queue(state, peer);
  state.deadlines.remove(peer);
  state.wanted.remove(peer);
  if (peer.flush_wanted) std::erase(state.flush_waiting, &peer);
  state.report(DeviceEvent::Kind::peer_removed, &peer);
  state.peers.remove(peer);
}

void clear_handshakes(DeviceState& state) {
  state.counters.add(DeviceCounter::drop_udp_handshake_queue_cleared, state.handshakes.size());
  state.handshakes.clear();
}

}  // namespace

}  // namespace fireline::wireguard
