#include "core/node/node_connections.h"

#include <memory>
#include <utility>

#include "core/ice/candidate_text.h"
#include "core/node/node_path.h"
#include "core/node/node_relays.h"
#include "core/node/node_timeout.h"
#include "core/wireguard/goodbye.h"

namespace fireline::node {
namespace {

void reuse(NodeState& state, Now now, Connection& connection, const ConnectionParameters& parameters);
bool create(NodeState& state, Now now, const ConnectionParameters& parameters, std::string relay);
[[nodiscard]] wireguard::PeerUpdate peer_update(const ConnectionParameters& parameters);
void apply(NodeState& state, Now now, wireguard::PeerUpdate update);
[[nodiscard]] ice::AgentTag new_tag(NodeState& state);
// Without a word to anybody.
void remove(NodeState& state, Now now, Connection& connection);
void say_goodbye(NodeState& state, Now now, Connection& connection);
// Whose candidates they are; null when nobody's. Leaves as many as one message may have, and counts the others.
[[nodiscard]] Connection* admit_candidates(NodeState& state, std::string_view id,
                                           std::span<const std::string>& candidates);
[[nodiscard]] NodeCounter counter_of(ice::RemoteOutcome outcome) noexcept;

}  // namespace

UpsertOutcome upsert(NodeState& state, Now now, const ConnectionParameters& parameters) {
  Connection* existing = state.connections.find(parameters.id);
  if (existing != nullptr && is_same_connection(existing->parameters, parameters)) {
    reuse(state, now, *existing, parameters);
    state.counters.add(NodeCounter::reused);
    return UpsertOutcome::reused;
  }
  // Before anything changes: who finds no relay keeps what he has.
  const auto sampled = state.relays.sample();
  if (!sampled) {
    state.counters.add(NodeCounter::refused_no_relays);
    return UpsertOutcome::no_relays;
  }
  if (existing == nullptr && state.connections.size() >= state.options.connections_max) {
    state.counters.add(NodeCounter::refused_full);
    return UpsertOutcome::full;
  }
  std::string relay(*sampled);
  if (existing != nullptr) remove(state, now, *existing);
  // A peer has one id; whoever has its key under another one is gone.
  if (Connection* other = state.connections.find_by_key(parameters.peer_key)) {
    state.report_end(*other, NodeEvent::Kind::closed, FailureReason::none);
    remove(state, now, *other);
  }
  if (!create(state, now, parameters, std::move(relay))) {
    state.counters.add(NodeCounter::refused_full);
    return UpsertOutcome::full;
  }
  state.counters.add(existing == nullptr ? NodeCounter::created : NodeCounter::replaced);
  return existing == nullptr ? UpsertOutcome::created : UpsertOutcome::replaced;
}

void add_remote_candidates(NodeState& state, Now now, std::string_view id, std::span<const std::string> candidates) {
  Connection* connection = admit_candidates(state, id, candidates);
  if (connection == nullptr) return;
  for (const std::string& candidate : candidates) {
    const auto text = ice::CandidateText::parse(candidate);
    if (!text) {
      state.counters.add(NodeCounter::drop_candidate_malformed);
      continue;
    }
    const NodeCounter counter = counter_of(connection->agent.add_remote(now.boot, *text));
    state.counters.add(counter);
    if (counter != NodeCounter::remote_candidates || text->candidate.kind == ice::CandidateKind::host) continue;
    // Its checks may come through our relay before ours have gone there.
    if (auto* allocation = state.relays.find(connection->relay)) {
      allocation->bind(now, text->candidate.address, connection->channel_owner());
    }
  }
  wake(state, now, *connection);
  state.touch(*connection);
}

void invalidate_remote_candidates(NodeState& state, Now now, std::string_view id,
                                  std::span<const std::string> candidates) {
  Connection* connection = admit_candidates(state, id, candidates);
  if (connection == nullptr) return;
  for (const std::string& candidate : candidates) {
    if (const auto text = ice::CandidateText::parse(candidate)) {
      connection->agent.invalidate_remote(now.boot, text->candidate);
    } else {
      state.counters.add(NodeCounter::drop_candidate_malformed);
    }
  }
  wake(state, now, *connection);
  state.touch(*connection);
}

// A gateway of the baseline may stay on a path that is dead for us; a goodbye makes it start afresh.
void fail(NodeState& state, Now now, Connection& connection, FailureReason reason) {
  switch (reason) {
    case FailureReason::none:
    case FailureReason::no_candidates:
      state.counters.add(NodeCounter::failed_no_candidates);
      break;
    case FailureReason::ice_timeout:
      state.counters.add(NodeCounter::failed_ice_timeout);
      break;
    case FailureReason::tunnel_expired:
      state.counters.add(NodeCounter::failed_tunnel_expired);
      if (state.is_client()) say_goodbye(state, now, connection);
      break;
  }
  state.report_end(connection, NodeEvent::Kind::failed, reason);
  remove(state, now, connection);
}

void set_allowed_ips(NodeState& state, Now now, Connection& connection, std::vector<Prefix> allowed_ips) {
  if (connection.parameters.allowed_ips == allowed_ips) return;
  connection.parameters.allowed_ips = std::move(allowed_ips);
  wireguard::PeerUpdate update = peer_update(connection.parameters);
  update.update_only = true;
  apply(state, now, std::move(update));
}

void close(NodeState& state, Now now, Connection& connection) {
  say_goodbye(state, now, connection);
  state.counters.add(NodeCounter::closed_by_us);
  state.report_end(connection, NodeEvent::Kind::closed, FailureReason::none);
  remove(state, now, connection);
}

void reset(NodeState& state, Now now, const crypto::Key& private_key) {
  state.relays.reset();
  state.ended.clear();
  state.no_relays_left = false;
  for (Connection* connection : state.connections.all()) {
    state.report_end(*connection, NodeEvent::Kind::closed, FailureReason::none);
    remove(state, now, *connection);
  }
  state.outbox.clear();
  wireguard::DeviceUpdate update;
  update.private_key = private_key;
  state.device.apply(now, update, state.outbox.output());
}

void handle_device_events(NodeState& state, Now now) {
  while (const auto event = state.device.poll_event()) {
    using Kind = wireguard::DeviceEvent::Kind;
    if (event->kind == Kind::data_moved) {
      if (Connection* connection = state.connections.find_by_key(event->peer)) {
        wake(state, now, *connection);
        state.touch(*connection);  // silence is watched for from here on
      }
      continue;
    }
    const bool expired = event->kind == Kind::handshake_given_up || event->kind == Kind::keys_zeroed;
    if (!expired && event->kind != Kind::goodbye_received) continue;
    Connection* connection = state.connections.find_by_key(event->peer);
    if (connection == nullptr) continue;
    if (expired) {
      fail(state, now, *connection, FailureReason::tunnel_expired);
    } else {
      state.counters.add(NodeCounter::closed_by_peer);
      state.report_end(*connection, NodeEvent::Kind::closed, FailureReason::none);
      remove(state, now, *connection);
    }
  }
}

namespace {

void reuse(NodeState& state, Now now, Connection& connection, const ConnectionParameters& parameters) {
  if (wants_relay(state, connection)) choose_relay(state, now, connection);
  set_allowed_ips(state, now, connection, parameters.allowed_ips);
  wake(state, now, connection);
  add_local_candidates(state, now, connection);
  // All of them: the peer may have lost what it was told.
  connection.agent.for_each_signalled([&](const ice::Candidate& one) { connection.signals.gathered(one); });
  state.mark(connection);
  start_handshake(state, now, connection);
}

bool create(NodeState& state, Now now, const ConnectionParameters& parameters, std::string relay) {
  wireguard::DeviceUpdate update;
  update.peers.push_back(peer_update(parameters));
  packet::Output& output = state.outbox.output();
  if (!state.device.apply(now, update, output)) {
    wireguard::PeerUpdate undo;
    undo.public_key = parameters.peer_key;
    undo.remove = true;
    apply(state, now, std::move(undo));
    return false;
  }
  state.device.set_path(now, parameters.peer_key, std::nullopt, output);
  Connection& connection = state.connections.insert(std::make_unique<Connection>(
      parameters, ice_role(state.options.role), new_tag(state), now.boot, state.random, state.ice_counters));
  connection.relay = std::move(relay);
  add_local_candidates(state, now, connection);
  return true;
}

wireguard::PeerUpdate peer_update(const ConnectionParameters& parameters) {
  wireguard::PeerUpdate update;
  update.public_key = parameters.peer_key;
  update.preshared_key = parameters.preshared_key;
  update.replace_allowed_ips = true;
  for (const Prefix& prefix : parameters.allowed_ips) update.allowed_ips.push_back({.prefix = prefix});
  return update;
}

void apply(NodeState& state, Now now, wireguard::PeerUpdate update) {
  wireguard::DeviceUpdate all;
  all.peers.push_back(std::move(update));
  state.device.apply(now, all, state.outbox.output());
}

ice::AgentTag new_tag(NodeState& state) {
  ice::AgentTag tag = state.random.u32();
  while (state.connections.find_by_tag(tag) != nullptr) tag = state.random.u32();
  return tag;
}

void remove(NodeState& state, Now now, Connection& connection) {
  wireguard::PeerUpdate update;
  update.public_key = connection.parameters.peer_key;
  update.remove = true;
  apply(state, now, std::move(update));
  state.deadlines.remove(connection);
  if (connection.touched) std::erase(state.touched, &connection);
  if (connection.suspended) std::erase(state.suspended, &connection);
  if (connection.dirty) std::erase(state.dirty, &connection);
  state.stragglers.ended(now.boot, connection);
  state.connections.erase(connection);
}

void say_goodbye(NodeState& state, Now now, Connection& connection) {
  if (!connection.path || connection.suspended) return;
  packet::Output& output = state.outbox.output();
  const bool sent = state.device.send_packet(now, connection.parameters.peer_key, wireguard::kGoodbye, output);
  if (sent) state.counters.add(NodeCounter::goodbyes_sent);
}

Connection* admit_candidates(NodeState& state, std::string_view id, std::span<const std::string>& candidates) {
  Connection* connection = state.connections.find(id);
  if (connection == nullptr) {
    state.counters.add(NodeCounter::drop_candidate_unknown_connection, candidates.size());
    return nullptr;
  }
  const std::size_t taken = std::min(candidates.size(), kCandidatesPerMessageMax);
  state.counters.add(NodeCounter::drop_candidate_too_many, candidates.size() - taken);
  candidates = candidates.first(taken);
  return connection;
}

NodeCounter counter_of(ice::RemoteOutcome outcome) noexcept {
  switch (outcome) {
    case ice::RemoteOutcome::added:
    case ice::RemoteOutcome::re_enabled:
    case ice::RemoteOutcome::replaced:
    case ice::RemoteOutcome::known:
      return NodeCounter::remote_candidates;
    case ice::RemoteOutcome::full:
      return NodeCounter::drop_candidate_full;
    case ice::RemoteOutcome::other_component:
    case ice::RemoteOutcome::other_transport:
    case ice::RemoteOutcome::other_ufrag:
    case ice::RemoteOutcome::unusable_address:
      break;
  }
  return NodeCounter::drop_candidate_other;
}

}  // namespace

}  // namespace fireline::node
