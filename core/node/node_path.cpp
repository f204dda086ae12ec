#include "core/node/node_path.h"

#include <utility>

#include "core/node/node_settle.h"
#include "core/node/path.h"

namespace fireline::node {
namespace {

// Empty: its channel is not there; `allocation` is empty when the relay is not ours any more either.
struct Route {
  std::optional<wireguard::PeerPath> path;
  std::optional<Instant> until;
  turn::Allocation* allocation = nullptr;
};

[[nodiscard]] Route route_of(NodeState& state, Now now, const Connection& connection);
void use(NodeState& state, Now now, Connection& connection, const Route& found);

}  // namespace

void apply_nomination(NodeState& state, Now now, Connection& connection, const ice::Path& path) {
#ifdef FIRELINE_PLANTED_NO_IDLE_NOMINATION
  if (connection.phase == ConnectionPhase::idle) return;
#endif
  const bool relayed_here = path.source_kind == ice::CandidateKind::relayed;
  state.connections.set_path(connection, {.kind = kind_of(path),
                                          .source = path.source,
                                          .destination = path.destination,
                                          .relay = relayed_here ? connection.relay : std::string(),
                                          .rtt = {},
                                          .since = now.boot,
                                          .channel = 0});
  route(state, now, connection);
  if (connection.phase == ConnectionPhase::connecting) {
    connection.phase = ConnectionPhase::connected;
    connection.active = now.boot;
    connection.established_unreported = true;
  }
  connection.path_unreported = true;
  state.counters.add(NodeCounter::path_changes);
  state.mark(connection);
#ifdef FIRELINE_PLANTED_SRFLX_INVALIDATED_ON_NOMINATION
  for (const auto& local : connection.agent.local_candidates()) {
    if (local.candidate.kind == ice::CandidateKind::server_reflexive) connection.signals.invalidated(local.candidate);
  }
#endif
  start_handshake(state, now, connection);
}

void route(NodeState& state, Now now, Connection& connection) {
  if (!connection.path) return;
  Route found = route_of(state, now, connection);
  if (!found.path && found.allocation != nullptr) {
    // Asking binds: the request is on its way before the first message.
    (void)found.allocation->channel_for(now, connection.path->destination, connection.channel_owner());
    send_to_relays(state);
    found = route_of(state, now, connection);
  }
  use(state, now, connection, found);
}

void resume_paths(NodeState& state, Now now) {
  for (std::size_t i = 0; i < state.suspended.size();) {
    Connection& connection = *state.suspended[i];
    const Route found = route_of(state, now, connection);
    if (found.path) {
      use(state, now, connection, found);  // leaves the list
      state.touch(connection);             // its deadlines changed
    } else {
      ++i;
    }
  }
}

void start_handshake(NodeState& state, Now now, Connection& connection) {
  if (!state.is_client() || !connection.path) return;
  if (connection.proactive && now.boot - *connection.proactive < kProactiveHandshakeInterval) return;
  connection.proactive = now.boot;
  if (state.device.initiate(now, connection.parameters.peer_key)) {
    state.counters.add(NodeCounter::proactive_handshakes);
  }
}

PathState path_state(const Connection& connection) {
  PathState path = *connection.path;
  // A candidate that was discovered at the nomination may have been announced as a relayed one since.
  if (const auto nominated = connection.agent.path();
      nominated && nominated->source == path.source && nominated->destination == path.destination) {
    path.kind = kind_of(*nominated);
  }
  for (const auto& pair : connection.agent.pairs()) {
    if (pair.source == path.source && pair.destination == path.destination) path.rtt = pair.rtt;
  }
  return path;
}

namespace {

Route route_of(NodeState& state, Now now, const Connection& connection) {
  const PathState& path = *connection.path;
  if (path.relay.empty()) {
    return {.path = wireguard::PeerPath{.destination = path.destination,
                                        .local = {.address = path.source.address, .interface = 0},
                                        .channel = std::nullopt},
            .until = std::nullopt,
            .allocation = nullptr};
  }
  turn::Allocation* allocation = state.relays.find(path.relay);
  if (allocation == nullptr || !allocation->server()) return {};
  if (allocation->candidates().relayed(path.source.address.family()) != path.source) return {};
  Route found{.path = std::nullopt, .until = std::nullopt, .allocation = allocation};
  if (const auto channel = allocation->channel_to(now, path.destination)) {
    found.path = wireguard::PeerPath{.destination = *allocation->server(), .local = {}, .channel = channel->number};
    found.until = channel->until;
  }
  return found;
}

void use(NodeState& state, Now now, Connection& connection, const Route& found) {
  connection.path->channel = found.path ? found.path->channel.value_or(0) : std::uint16_t{0};
  connection.channel_until = found.until;
  if (const bool suspended = !found.path; suspended != connection.suspended) {
    connection.suspended = suspended;
    if (suspended) {
      state.suspended.push_back(&connection);
      state.counters.add(NodeCounter::paths_suspended);
    } else {
      std::erase(state.suspended, &connection);
    }
  }
  state.device.set_path(now, connection.parameters.peer_key, found.path, state.outbox.output());
}

}  // namespace

}  // namespace fireline::node
