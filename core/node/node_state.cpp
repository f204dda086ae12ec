#include "core/node/node_state.h"

#include <algorithm>
#include <variant>

#include "core/node/node_path.h"

namespace fireline::node {
namespace {

wireguard::DeviceOptions device_options(const NodeOptions& options, const wireguard::ReturnPath& return_path) {
  wireguard::DeviceOptions result;
  result.profile = wireguard::kFirezoneProfile;
  result.mtu = options.mtu;
  result.tun_offloads = options.tun_offloads;
  result.queue_without_path = options.role == NodeRole::client;
  result.return_path = &return_path;
  result.policy = options.policy;
  result.memory = options.memory;
  // A lost one would leave a connection without a tunnel: a turn reports at most two of each.
  result.events_max = std::max(wireguard::kDeviceEventsMax, 2 * options.connections_max);
  return result;
}

}  // namespace

NodeState::NodeState(const NodeOptions& node_options, Now start, packet::BufferSource& large,
                     packet::BufferSource& small, crypto::Random& random_source, crypto::Aead& aead)
    : options(node_options),
      random(random_source),
      last_input(start),
      relays({.software = node_options.software, .accept_unsigned_errors = node_options.accept_unsigned_errors},
             random_source),
      outbox(small),
      demultiplexer(relays, *this, counters),
      device(device_options(node_options, *this), start, large, small, random_source, aead) {}

void NodeState::touch(Connection& connection) {
  if (connection.touched) return;
  connection.touched = true;
  touched.push_back(&connection);
}

void NodeState::mark(Connection& connection) {
  if (connection.dirty) return;
  connection.dirty = true;
  dirty.push_back(&connection);
}

void NodeState::report_end(Connection& connection, NodeEvent::Kind kind, FailureReason reason) {
  if (ended.size() == kEndedEventsMax) {
    ended.pop_front();
    counters.add(NodeCounter::lost_events);
  }
  NodeEvent& event = ended.emplace_back();
  event.kind = kind;
  event.connection = connection.parameters.id;
  event.reason = reason;
}

std::optional<NodeEvent> NodeState::poll_event() {
  NodeEvent event;
  if (!ended.empty()) {
    event = std::move(ended.front());
    ended.pop_front();
    return event;
  }
  while (!dirty.empty()) {
    Connection& connection = *dirty.front();
    event.connection = connection.parameters.id;
    if (std::exchange(connection.established_unreported, false)) {
      event.kind = NodeEvent::Kind::established;
      if (connection.path) event.path = path_state(connection);
      return event;
    }
    if (std::exchange(connection.path_unreported, false) && connection.path) {
      event.kind = NodeEvent::Kind::path_changed;
      event.path = path_state(connection);
      return event;
    }
    const std::string_view ufrag = connection.parameters.local.ufrag();
    if (connection.signals.any_gathered()) {
      event.kind = NodeEvent::Kind::candidates_gathered;
      event.candidates = connection.signals.take_gathered(ufrag);
      return event;
    }
    if (connection.signals.any_invalidated()) {
      event.kind = NodeEvent::Kind::candidates_invalidated;
      event.candidates = connection.signals.take_invalidated(ufrag);
      return event;
    }
    connection.dirty = false;
    dirty.pop_front();
  }
  if (std::exchange(no_relays_left, false)) {
    event.connection.clear();
    event.kind = NodeEvent::Kind::no_relays_left;
    return event;
  }
  return std::nullopt;
}

// Fragments have 20 bits: when several connections share both, the one whose key signed the message has it.
void NodeState::receive_stun(Now now, const Endpoint& source, const Endpoint& destination,
                             const stun::MessageView& message) {
  Connection* connection = nullptr;
  const auto addressee = ice::addressed_to(message);
  if (const auto* response = std::get_if<ice::ToTag>(&addressee)) {
    connection = connections.find_by_tag(response->tag);
    if (connection == nullptr) {
      const bool late = stragglers.has_tag(now.boot, response->tag);
      return counters.add(late ? NodeCounter::drop_datagram_stun_straggler : NodeCounter::drop_datagram_stun_unknown);
    }
  } else if (const auto* request = std::get_if<ice::ToFragments>(&addressee)) {
    std::size_t count = 0;
    Connection* proven = nullptr;
    connections.for_fragments(request->receiver, request->sender, [&](Connection& one) {
      ++count;
      connection = &one;
      if (proven == nullptr && count > 1 && one.agent.accepts(message)) proven = &one;
    });
    if (count == 0) {
      const bool late = stragglers.has_fragments(now.boot, request->receiver, request->sender);
      return counters.add(late ? NodeCounter::drop_datagram_stun_straggler : NodeCounter::drop_datagram_stun_unknown);
    }
    if (count > 1) {
      connections.for_fragments(request->receiver, request->sender, [&](Connection& one) {
        if (proven == nullptr && one.agent.accepts(message)) proven = &one;
      });
      if (proven == nullptr) return counters.add(NodeCounter::drop_datagram_stun_unproven);
      connection = proven;
    }
  } else {
    return counters.add(NodeCounter::drop_datagram_stun_unaddressed);
  }
  counters.add(NodeCounter::to_agents);
  connection->agent.handle_binding(now.boot, source, destination, message);
  touch(*connection);
}

std::optional<wireguard::PeerPath> NodeState::return_path(const Endpoint& source,
                                                          const packet::LocalAddress& local) const {
  std::optional<wireguard::PeerPath> path;
  relays.for_each([&](std::string_view, const turn::Allocation& allocation) {
    const auto relayed = allocation.candidates().relayed(source.address.family());
    if (path || !relayed || relayed->address != local.address) return;
    const auto channel = allocation.channel_to(last_input, source);
    if (!channel || !allocation.server()) return;
    path = wireguard::PeerPath{.destination = *allocation.server(), .local = {}, .channel = channel->number};
  });
  return path;
}

}  // namespace fireline::node
