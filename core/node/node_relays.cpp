#include "core/node/node_relays.h"

#include "core/node/node_path.h"
#include "core/node/node_timeout.h"
#include "core/node/path.h"

namespace fireline::node {
namespace {

void candidate_added(NodeState& state, Now now, const std::string& relay, const turn::Candidate& candidate);
void candidate_invalidated(NodeState& state, Now now, const turn::Candidate& candidate);
void relay_lost(NodeState& state, Now now, const std::string& relay);
bool add_local(NodeState& state, Now now, Connection& connection, const turn::Candidate& candidate);
[[nodiscard]] bool is_known(const NodeState& state, const turn::Candidate& candidate);

}  // namespace

void handle_relay_event(NodeState& state, Now now, const turn::RelayEvent& event) {
  switch (event.kind) {
    case turn::RelayEventKind::candidate_added:
      return candidate_added(state, now, event.id, event.candidate);
    case turn::RelayEventKind::candidate_invalidated:
      return candidate_invalidated(state, now, event.candidate);
    case turn::RelayEventKind::lost:
      return relay_lost(state, now, event.id);
    case turn::RelayEventKind::none_left:
      state.no_relays_left = true;
      return;
  }
}

void add_local_candidates(NodeState& state, Now now, Connection& connection) {
  for (const turn::CandidateKind kind :
       {turn::CandidateKind::host, turn::CandidateKind::server_reflexive, turn::CandidateKind::relayed}) {
    state.relays.for_each([&](std::string_view id, const turn::Allocation& allocation) {
      if (kind == turn::CandidateKind::relayed && id != connection.relay) return;
      allocation.candidates().for_each([&](const turn::Candidate& candidate) {
        if (candidate.kind == kind) add_local(state, now, connection, candidate);
      });
    });
  }
  state.touch(connection);
}

bool wants_relay(const NodeState& state, const Connection& connection) noexcept {
#ifdef FIRELINE_PLANTED_RELAY_NOT_RESAMPLED
  (void)state, (void)connection;
  return false;
#else
  return connection.relay.empty() && state.relays.size() != 0;
#endif
}

bool choose_relay(NodeState& state, Now now, Connection& connection) {
  const auto chosen = state.relays.sample();
  if (!chosen) return false;
  connection.relay = *chosen;
  state.counters.add(NodeCounter::relays_chosen_again);
  add_local_candidates(state, now, connection);
  return true;
}

namespace {

void candidate_added(NodeState& state, Now now, const std::string& relay, const turn::Candidate& candidate) {
  state.connections.for_each([&](Connection& connection) {
    if (connection.relay != relay) return;
    if (add_local(state, now, connection, candidate)) wake(state, now, connection);
    state.touch(connection);
  });
}

// A host candidate that another relay still tells is good. A reflexive one is withdrawn in any case: the peer of an
// earlier connection may have it.
void candidate_invalidated(NodeState& state, Now now, const turn::Candidate& candidate) {
  if (candidate.kind == turn::CandidateKind::host && is_known(state, candidate)) return;
  const auto gone = to_ice(candidate);
  if (!gone) return;
  state.connections.for_each([&](Connection& connection) {
    if (const auto signal = connection.agent.invalidate_local(now.boot, *gone)) {
      connection.signals.invalidated(*signal);
      state.mark(connection);
      state.touch(connection);
    }
    if (connection.path && connection.path->source == gone->address) route(state, now, connection);
  });
}

void relay_lost(NodeState& state, Now now, const std::string& relay) {
  state.connections.for_each([&](Connection& connection) {
    if (connection.path && connection.path->relay == relay) route(state, now, connection);
    if (connection.relay != relay) return;
    connection.relay.clear();
    state.touch(connection);  // its deadline: another one is chosen with the next timer
  });
}

bool add_local(NodeState& state, Now now, Connection& connection, const turn::Candidate& candidate) {
  const auto added = to_ice(candidate);
  if (!added) return false;
  const auto signal = connection.agent.add_local(now.boot, *added);
  if (!signal) return false;
  connection.signals.gathered(*signal);
  state.mark(connection);
  return true;
}

bool is_known(const NodeState& state, const turn::Candidate& candidate) {
  bool known = false;
  state.relays.for_each([&](std::string_view, const turn::Allocation& allocation) {
    allocation.candidates().for_each([&](const turn::Candidate& other) {
      known |= other.kind == candidate.kind && other.address == candidate.address;
    });
  });
  return known;
}

}  // namespace

}  // namespace fireline::node
