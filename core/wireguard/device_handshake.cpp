#include "core/wireguard/device_handshake.h"

#include <utility>

#include "core/wireguard/device_path.h"
#include "core/wireguard/device_queue.h"
#include "core/wireguard/messages.h"

namespace fireline::wireguard {
namespace {

[[nodiscard]] Instant initiation_allowed_at(const Peer& peer) noexcept;
void postpone_initiation(DeviceState& state, Peer& peer, Instant allowed);
void send_initiation(DeviceState& state, Now now, Peer& peer, packet::Output& output);
// False when the message was counted as dropped, or answered with a cookie.
[[nodiscard]] bool admit(DeviceState& state, Now now, const QueuedHandshake& message, packet::Output& output);
void receive_initiation(DeviceState& state, Now now, const QueuedHandshake& message, packet::Output& output);
void send_response(DeviceState& state, Now now, Peer& peer, const AuthenticInitiation& initiation,
                   packet::Output& output);
void receive_response(DeviceState& state, Now now, const QueuedHandshake& message, packet::Output& output);
void receive_cookie_reply(DeviceState& state, Now now, const QueuedHandshake& message);
void add_session(DeviceState& state, Now now, Peer& peer, TransportKeys keys, std::uint32_t local_index,
                 std::uint32_t remote_index, bool initiator);
void make_identity(const DeviceState& state, Peer& peer);

}  // namespace

void want_initiation(DeviceState& state, Now now, Peer& peer, Ask ask) {
  if (!state.up || !state.identity || !peer.path) return;
  if (!peer.timers.attempt_running() || (ask == Ask::data && state.profile.data_restarts_attempt)) {
    peer.timers.attempt_started(now.boot);
  }
  if (peer.initiation_wanted) return;
  // The next initiation has its timer: packets must not send it before. Also when the last one was forgotten for the
  // peer's: two ends whose initiations crossed would cross again and again without the timer's jitter.
  if (ask == Ask::data && peer.timers.armed(Timer::retransmit_handshake)) return;
  const Instant allowed = initiation_allowed_at(peer);
  if (allowed > now.boot) return postpone_initiation(state, peer, allowed);
  state.wanted.push_back(peer);
  state.wanted_since = now.boot;
}

bool send_wanted_initiations(DeviceState& state, Now now, std::size_t limit, packet::Output& output) {
  std::size_t taken = 0;
  for (; taken < limit && !state.wanted.empty(); ++taken) {
    Peer& peer = state.wanted.pop_front();
    const Instant allowed = initiation_allowed_at(peer);
    if (allowed <= now.boot) {
      send_initiation(state, now, peer, output);
    } else if (!peer.queue.empty()) {
      // An initiation of the peer was answered in the meantime; should that be lost, packets wait for ours.
      postpone_initiation(state, peer, allowed);
    }
  }
  return taken != 0;
}

bool step_message(DeviceState& state, Now now, packet::Output& output) {
  if (state.handshakes.empty()) return false;
  const QueuedHandshake& message = state.handshakes.pop();
  const auto type = classify(message.view());
  if (!type) return true;
  if (*type == MessageType::cookie_reply) {
    receive_cookie_reply(state, now, message);
  } else if (admit(state, now, message, output)) {
    *type == MessageType::initiation ? receive_initiation(state, now, message, output)
                                     : receive_response(state, now, message, output);
  }
  return true;
}

void complete_handshake(DeviceState& state, Now now, Peer& peer) {
  state.counters.add(DeviceCounter::handshakes_completed);
  peer.timers.handshake_complete();
  peer.last_handshake = now.wall;
  peer.late_initiation_wanted = false;
  peer.initiation_postponed = false;
  state.report(DeviceEvent::Kind::handshake_completed, &peer);
}

namespace {

// At most one handshake message of ours in REKEY_TIMEOUT. After a response this is what gives the initiator time to
// confirm the session before we start one of our own.
Instant initiation_allowed_at(const Peer& peer) noexcept {
  return peer.last_handshake_sent ? *peer.last_handshake_sent + kRekeyTimeout : Instant::min();
}

void postpone_initiation(DeviceState& state, Peer& peer, Instant allowed) {
  peer.initiation_postponed = true;
  peer.timers.handshake_postponed(allowed, state.jitter);
  state.arm(peer);
}

void send_initiation(DeviceState& state, Now now, Peer& peer, packet::Output& output) {
  if (!peer.path || !state.identity) return;
  make_identity(state, peer);
  InitiationMessage message;
  auto handshake = create_initiation(*state.identity, *peer.remote, state.timestamps.next(now),
                                     peer.next_session_index(), state.random, message);
  peer.last_handshake_sent = now.boot;
  peer.initiation_postponed = false;
  // A public key of low order fails here for ever; the timer keeps the attempts to their pace.
  if (handshake) {
    peer.cookies->add_macs(now.boot, message);
    if (!state.profile.keeps_earlier_initiation) {
      peer.earlier_initiation.reset();
    } else if (peer.initiation) {
      peer.earlier_initiation = std::move(peer.initiation);
    }
    peer.initiation = std::move(*handshake);
    if (send_message(state, message, *peer.path, output)) {
      state.counters.add(DeviceCounter::sent_initiations);
      peer.sent_bytes += message.size();
    }
    peer.timers.any_sent(now.boot);
    state.report(DeviceEvent::Kind::handshake_initiated, &peer);
  }
  peer.timers.handshake_initiated(now.boot, state.jitter);
  state.arm(peer);
}

bool admit(DeviceState& state, Now now, const QueuedHandshake& message, packet::Output& output) {
  const auto macs = MacFields::parse(message.view());
  if (!macs) return false;
  const bool was_loaded =
      std::exchange(state.loaded, state.load.under_load(now.boot, state.handshakes.size(), kHandshakeQueueMessages));
  if (!state.loaded) return true;
  if (!was_loaded) state.report(DeviceEvent::Kind::under_load, nullptr);
  state.counters.add(DeviceCounter::under_load_messages);
  if (!state.cookies->mac2_valid(now.boot, *macs, message.source)) {
    state.counters.add(DeviceCounter::drop_udp_cookie_sent);
    const CookieReplyMessage reply = state.cookies->create_reply(now.boot, *macs, message.source);
    if (const auto path = path_back(state, message); path && send_message(state, reply, *path, output))
      state.counters.add(DeviceCounter::sent_cookie_replies);
    return false;
  }
  if (state.sources && !state.sources->admit(now.boot, message.source.address)) {
    state.counters.add(DeviceCounter::drop_udp_rate_limited);
    return false;
  }
  return true;
}

void receive_initiation(DeviceState& state, Now now, const QueuedHandshake& message, packet::Output& output) {
  const auto view = InitiationView::parse(message.view());
  if (!view) return;
  const auto anonymous = open_static(*state.identity, *view);
  if (!anonymous) return state.counters.add(DeviceCounter::drop_udp_bad_initiation);
  Peer* peer = state.peers.find(anonymous->initiator_static);
  if (peer == nullptr) return state.counters.add(DeviceCounter::drop_udp_unknown_peer);
  make_identity(state, *peer);
  const auto initiation = open_timestamp(*anonymous, *peer->remote, *view);
  if (!initiation) return state.counters.add(DeviceCounter::drop_udp_bad_initiation);
  if (initiation->timestamp <= peer->greatest_timestamp)
    return state.counters.add(DeviceCounter::drop_udp_old_timestamp);
  if (peer->last_initiation_received && now.boot - *peer->last_initiation_received < kInitiationInterval) {
    return state.counters.add(DeviceCounter::drop_udp_initiation_flood);
  }
  state.counters.add(DeviceCounter::initiations);
  peer->greatest_timestamp = initiation->timestamp;
  peer->last_initiation_received = now.boot;
  peer->received_bytes += message.bytes;
  state.follow_endpoint(*peer, message.source, message.local);
  peer->timers.any_received(now.boot);
  send_response(state, now, *peer, *initiation, output);
}

void send_response(DeviceState& state, Now now, Peer& peer, const AuthenticInitiation& initiation,
                   packet::Output& output) {
  ResponseMessage message;
  const std::uint32_t index = peer.next_session_index();
  auto keys = create_response(initiation, *peer.remote, peer.preshared_key, index, state.random, message);
  if (!keys) return;
  peer.cookies->add_macs(now.boot, message);
  add_session(state, now, peer, std::move(*keys), index, initiation.sender_index, false);
  peer.last_handshake_sent = now.boot;
  if (state.profile.keeps_earlier_initiation) {
    if (peer.initiation) peer.earlier_initiation = std::exchange(peer.initiation, std::nullopt);
    peer.timers.handshake_answered();
  } else {
    peer.initiation.reset();
  }
  send_or_hold_response(state, peer, message, output);
  peer.timers.any_sent(now.boot);
  // In case that the session is never confirmed.
  if (!peer.queue.empty()) peer.timers.handshake_postponed(initiation_allowed_at(peer), state.jitter);
  state.arm(peer);
  state.report(DeviceEvent::Kind::handshake_answered, &peer);
}

void receive_response(DeviceState& state, Now now, const QueuedHandshake& message, packet::Output& output) {
  const auto view = ResponseView::parse(message.view());
  if (!view) return;
  Peer* peer = state.peers.find_by_index(view->receiver_index());
  if (peer == nullptr) return state.counters.add(DeviceCounter::drop_udp_bad_response);
  auto waits = [&](const std::optional<InitiatorHandshake>& ours) {
    return ours && ours->sender_index == view->receiver_index();
  };
  std::optional<InitiatorHandshake>* ours = nullptr;
  if (waits(peer->initiation)) ours = &peer->initiation;
  if (waits(peer->earlier_initiation)) ours = &peer->earlier_initiation;
  if (ours == nullptr) return state.counters.add(DeviceCounter::drop_udp_bad_response);
  auto keys = consume_response(*state.identity, **ours, peer->preshared_key, *view);
  if (!keys) return state.counters.add(DeviceCounter::drop_udp_bad_response);

  state.counters.add(DeviceCounter::responses);
  add_session(state, now, *peer, std::move(*keys), view->receiver_index(), view->sender_index(), true);
  ours->reset();
  peer->received_bytes += message.bytes;
  state.follow_endpoint(*peer, message.source, message.local);
  peer->timers.any_received(now.boot);
  complete_handshake(state, now, *peer);
  state.arm(*peer);
  // The responder waits for a packet before it uses the session.
  if (state.profile.confirm_with_keepalive || peer->queue.empty()) {
    (void)seal_keepalive(state, now, *peer, *peer->sessions.current(), output);
  }
  flush_queue(state, now, *peer, output);
}

void receive_cookie_reply(DeviceState& state, Now now, const QueuedHandshake& message) {
  const auto view = CookieReplyView::parse(message.view());
  if (!view) return;
  Peer* peer = state.peers.find_by_index(view->receiver_index());
  if (peer == nullptr || !peer->cookies || !peer->cookies->consume_reply(now.boot, *view)) {
    return state.counters.add(DeviceCounter::drop_udp_bad_cookie_reply);
  }
  state.counters.add(DeviceCounter::cookie_replies);
}

void add_session(DeviceState& state, Now now, Peer& peer, TransportKeys keys, std::uint32_t local_index,
                 std::uint32_t remote_index, bool initiator) {
  SessionRef session(
      state.sessions.make(&peer, std::move(keys.send), std::move(keys.receive), state.profile.replay_window));
  session->slab = &state.sessions;
  session->local_index = local_index;
  session->remote_index = remote_index;
  session->initiator = initiator;
  session->birth = now.boot;
  peer.sessions.add(std::move(session));
  peer.timers.session_derived(now.boot, initiator);
  if (state.profile.sessions == SessionRule::slots) {
    peer.timers.set_session_expiry(peer.sessions.oldest_birth() + kRejectAfterTime);
  }
}

// Costs a curve operation, so it is done when the peer first needs it and not when ten thousand are configured.
void make_identity(const DeviceState& state, Peer& peer) {
  if (peer.remote) return;
  peer.remote.emplace(*state.identity, peer.public_key);
  peer.cookies.emplace(*peer.remote);
}

}  // namespace

}  // namespace fireline::wireguard
