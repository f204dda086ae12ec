#include "core/wireguard/device_timeout.h"

#include "core/wireguard/device_configure.h"
#include "core/wireguard/device_handshake.h"
#include "core/wireguard/device_queue.h"

namespace fireline::wireguard {
namespace {
// Handshakes that one handle_timeout may send: half a millisecond. The others wait for step_handshake.
constexpr std::size_t kTimeoutInitiations = 4;

void run_timer(DeviceState& state, Now now, Peer& peer, Timer timer, packet::Output& output);
void retransmit_due(DeviceState& state, Now now, Peer& peer);
void expire_sessions(DeviceState& state, Now now, Peer& peer);
void zero_keys(DeviceState& state, Peer& peer);
void give_up(DeviceState& state, Now now, Peer& peer);

}  // namespace

std::optional<Instant> next_timeout(const DeviceState& state) noexcept {
  if (!state.wanted.empty()) return state.wanted_since;
  if (state.deadlines.empty()) return std::nullopt;
  return state.deadlines.top_deadline();
}

void run_timers(DeviceState& state, Now now, packet::Output& output) {
  while (!state.deadlines.empty() && state.deadlines.top_deadline() <= now.boot) {
    Peer& peer = *state.deadlines.top();
    while (const auto timer = peer.timers.take_due(now.boot)) run_timer(state, now, peer, *timer, output);
    state.deadlines.set(peer, peer.timers.earliest());
  }
  send_wanted_initiations(state, now, kTimeoutInitiations, output);
}

namespace {

void run_timer(DeviceState& state, Now now, Peer& peer, Timer timer, packet::Output& output) {
  switch (timer) {
    case Timer::retransmit_handshake:
      return retransmit_due(state, now, peer);
    case Timer::rekey:
      return want_initiation(state, now, peer, Ask::data);
    case Timer::new_handshake:
      state.forget_local_address(peer);
      return want_initiation(state, now, peer, Ask::data);
    case Timer::send_keepalive: {
      const bool another = peer.timers.another_keepalive();
      send_keepalive(state, now, peer, output);
      if (another) peer.timers.keepalive_again(now.boot);
      return;
    }
    case Timer::persistent_keepalive:
      send_keepalive(state, now, peer, output);
      return peer.timers.persistent_keepalive_again(now.boot);
    case Timer::expire_sessions:
      return expire_sessions(state, now, peer);
    case Timer::zero_keys:
      return zero_keys(state, peer);
    case Timer::count_:
      return;
  }
}

void retransmit_due(DeviceState& state, Now now, Peer& peer) {
  // An attempt goes on behind an answer of ours that nobody confirmed: two ends whose initiations crossed would
  // otherwise wait for each other.
  const bool is_wanted = peer.initiation || peer.initiation_postponed || !peer.queue.empty();
  if (!is_wanted && !peer.timers.attempt_running()) return;
  if (peer.timers.attempt_over(now.boot)) return give_up(state, now, peer);
  state.forget_local_address(peer);
  want_initiation(state, now, peer, Ask::retry);
}

void expire_sessions(DeviceState& state, Now now, Peer& peer) {
  peer.sessions.drop_older_than(kRejectAfterTime, now.boot);
  if (peer.sessions.current() == nullptr && !peer.initiating() && peer.timers.initiated_last()) {
    peer.timers.session_expired(now.boot, state.jitter);
  }
  if (!peer.sessions.empty()) peer.timers.set_session_expiry(peer.sessions.oldest_birth() + kRejectAfterTime);
}

void zero_keys(DeviceState& state, Peer& peer) {
  forget_sessions(peer);
  if (state.profile.expiry_fails_peer) {
    clear_queue(state, peer);
    peer.timers.stop();
  }
  state.report(DeviceEvent::Kind::keys_zeroed, &peer);
}

void give_up(DeviceState& state, Now now, Peer& peer) {
  state.counters.add(DeviceCounter::handshakes_given_up);
  clear_queue(state, peer);
  peer.initiation_postponed = false;
  peer.timers.given_up(now.boot);
  // The session stays until the layer above removes the peer: it may want to say goodbye.
  if (state.profile.expiry_fails_peer) peer.timers.stop();
  state.report(DeviceEvent::Kind::handshake_given_up, &peer);
}

}  // namespace

}  // namespace fireline::wireguard
