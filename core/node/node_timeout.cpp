#include "core/node/node_timeout.h"

#include <algorithm>

#include "core/node/node_connections.h"
#include "core/node/node_path.h"
#include "core/node/node_relays.h"
#include "core/node/node_settle.h"

namespace fireline::node {
namespace {

// A round trip through two relays around the world takes less. Whoever only receives is silent for longer, and answers
// the check.
constexpr Duration kSilence = std::chrono::milliseconds(300);
// After the first check of a silent path the agent waits for as long as if it were well, and after the second it does
// not any more: 0.75 s must lie between them (request_history.h).
constexpr Duration kSecondProbe = std::chrono::milliseconds(800);
// How often a connection with traffic is asked. A gateway has many, and only the client's checks decide about a path.
constexpr Duration kSilenceIntervalClient = std::chrono::milliseconds(250);
constexpr Duration kSilenceIntervalGateway = std::chrono::seconds(1);
constexpr std::uint8_t kSilenceProbes = 2;

void run(NodeState& state, Now now, Connection& connection);
[[nodiscard]] Instant last_activity(const NodeState& state, const Connection& connection);
[[nodiscard]] bool may_idle(const Connection& connection) noexcept;
[[nodiscard]] Duration silence_interval(const NodeState& state) noexcept;
// Whether it is to be watched for silence; who has none is woken by its next packet.
[[nodiscard]] bool has_traffic(const NodeState& state, Now now, const Connection& connection);
[[nodiscard]] Instant silence_deadline(const NodeState& state, Now now, const Connection& connection);
void probe_silence(NodeState& state, Now now, Connection& connection);

constexpr auto kNever = Instant::max();

}  // namespace

Instant own_deadline(const NodeState& state, Now now, const Connection& connection) {
  Instant deadline = kNever;
  const auto at = [&](Instant time) { deadline = std::min(deadline, time); };
  if (wants_relay(state, connection)) at(now.boot);
  if (!connection.agent.has_remote_candidate()) at(connection.created + kNoCandidatesTimeout);
  if (connection.disconnected) at(*connection.disconnected + kDisconnectedGrace);
  if (connection.channel_until) at(*connection.channel_until);
  if (may_idle(connection)) at(last_activity(state, connection) + kIdleAfter);
  at(silence_deadline(state, now, connection));
#ifdef FIRELINE_PLANTED_BUSY_TIMER
  if (connection.phase == ConnectionPhase::idle) at(now.boot);
#endif
  return deadline;
}

std::optional<Instant> next_timeout(const NodeState& state) noexcept {
  Instant next = kNever;
  if (!state.outbox.empty()) next = state.last_input.boot;
  if (!state.deadlines.empty()) next = std::min(next, state.deadlines.top_deadline());
  next = std::min(next, state.relays.poll_timeout().value_or(kNever));
  next = std::min(next, state.device.poll_timeout().value_or(kNever));
  return next == kNever ? std::nullopt : std::optional(next);
}

void run_connections(NodeState& state, Now now) {
  while (!state.deadlines.empty() && state.deadlines.top_deadline() <= now.boot) {
    Connection& connection = *state.deadlines.top();
    state.deadlines.remove(connection);
    run(state, now, connection);
  }
}

void wake(NodeState& state, Now now, Connection& connection) {
  connection.active = now.boot;
  if (connection.phase != ConnectionPhase::idle) return;
  connection.phase = ConnectionPhase::connected;
  connection.agent.set_timing(now.boot, ice::Pace::active);
  state.touch(connection);
}

void recheck(NodeState& state, Now now) {
  state.relays.refresh(now);
  state.connections.for_each([&](Connection& connection) {
    wake(state, now, connection);
    connection.agent.probe(now.boot, std::nullopt);
    state.touch(connection);
  });
}

void probe(NodeState& state, Now now, const Endpoint& destination) {
  // Anybody can send an error about anything: one that names no path in use costs a look into the table, and those
  // about one path leave the others' be heard.
  bool used = state.relays.suspect(now, destination);
  state.connections.for_destination(destination, [&](Connection& connection) {
    if (connection.hint && now.boot - *connection.hint < kHintInterval) return;
    connection.hint = now.boot;
    if (connection.agent.probe(now.boot, destination) == 0) return;
    used = true;
    state.touch(connection);
  });
  state.counters.add(used ? NodeCounter::hints : NodeCounter::hints_ignored);
}

namespace {

void run(NodeState& state, Now now, Connection& connection) {
  if (wants_relay(state, connection) && choose_relay(state, now, connection)) wake(state, now, connection);
  connection.agent.handle_timeout(now.boot);
  if (!connection.agent.has_remote_candidate() && now.boot >= connection.created + kNoCandidatesTimeout) {
    return fail(state, now, connection, FailureReason::no_candidates);
  }
  if (connection.disconnected && now.boot >= *connection.disconnected + kDisconnectedGrace) {
    return fail(state, now, connection, FailureReason::ice_timeout);
  }
  if (connection.channel_until && now.boot >= *connection.channel_until) route(state, now, connection);
  if (may_idle(connection) && now.boot >= last_activity(state, connection) + kIdleAfter) {
    connection.phase = ConnectionPhase::idle;
    connection.agent.set_timing(now.boot, ice::Pace::idle);
  }
  probe_silence(state, now, connection);
  if (!has_traffic(state, now, connection)) state.device.watch_data(connection.parameters.peer_key);
  state.touch(connection);
}

Instant last_activity(const NodeState& state, const Connection& connection) {
  return std::max(connection.active, state.device.last_data(connection.parameters.peer_key).value_or(Instant::min()));
}

// Not while ICE is still looking: slow checks would starve it.
bool may_idle(const Connection& connection) noexcept {
  const ice::AgentState ice = connection.agent.state();
  return connection.phase == ConnectionPhase::connected &&
         (ice == ice::AgentState::connected || ice == ice::AgentState::completed);
}

Duration silence_interval(const NodeState& state) noexcept {
  return state.is_client() ? kSilenceIntervalClient : kSilenceIntervalGateway;
}

bool has_traffic(const NodeState& state, Now now, const Connection& connection) {
  const auto data = state.device.last_data(connection.parameters.peer_key);
  return data && now.boot - *data < silence_interval(state);
}

Instant silence_deadline(const NodeState& state, Now now, const Connection& connection) {
  if (connection.phase != ConnectionPhase::connected || connection.suspended) return kNever;
  const auto& key = connection.parameters.peer_key;
  const auto since = state.device.unanswered_since(key);
  if (since) {
    const std::uint8_t probes = since == connection.silence ? connection.silence_probes : std::uint8_t{0};
    if (probes == 0) return *since + kSilence;
    if (probes < kSilenceProbes) return *since + kSilence + kSecondProbe;
  }
  return has_traffic(state, now, connection) ? now.boot + silence_interval(state) : kNever;
}

// Besides the path its relay is asked: when a NAT was restarted, only the relay can tell our new address, and when the
// relay is gone, it is known sooner than the path's failure.
void probe_silence(NodeState& state, Now now, Connection& connection) {
  if (!connection.path || silence_deadline(state, now, connection) > now.boot) return;
  const auto since = state.device.unanswered_since(connection.parameters.peer_key);
  if (connection.silence != since) connection.silence_probes = 0;
  connection.silence = since;
  ++connection.silence_probes;
  // All of its paths: what could take over is known when the one in use has failed, and so is that nothing can.
  connection.agent.probe(now.boot, std::nullopt);
  if (connection.silence_probes == kSilenceProbes) {
    if (auto* allocation = state.relays.find(connection.relay)) allocation->check(now);
  }
  state.counters.add(NodeCounter::silences_probed);
}

}  // namespace

}  // namespace fireline::node
