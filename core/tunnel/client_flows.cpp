#include "core/tunnel/client_flows.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>
#include <vector>

#include "core/tunnel/client_state.h"

namespace fireline::tunnel {
namespace {

using node::NodeEvent;

struct Connect {
  node::UpsertOutcome outcome = node::UpsertOutcome::full;
  bool usable = false;  // the answer's addresses and credentials
};

void report(ClientState& state, const Uuid& resource, FlowOutcome outcome);
void ask_portal(ClientState& state, const Uuid& resource);
[[nodiscard]] Connect connect(ClientState& state, Now now, const portal::FlowCreated& flow, packet::Output& output);
ConnectedGateway& record_gateway(ClientState& state, const portal::FlowCreated& flow, node::UpsertOutcome outcome);
void take_from_gateway(ClientState& state, Now now, ResourceEntry& entry, packet::Output& output);
void forget_resources(ClientState& state, ConnectedGateway& gateway);
void forget_gateway(ClientState& state, const Uuid& id);
void refresh_site(ClientState& state, const Uuid& site);
void handle_node_event(ClientState& state, NodeEvent event);
void tell_candidates(ClientState& state, const Uuid& gateway, NodeEvent event);
void send_released(ClientState& state, Now now, packet::Output& output);
[[nodiscard]] Prefix host_prefix(const IpAddress& address) noexcept;

}  // namespace

bool want_flow(ClientState& state, Now now, const Uuid& resource, IntentReason reason) {
  if (!state.pending.want(now.boot, resource, reason)) return false;
  ask_portal(state, resource);
  return true;
}

void create_flow(ClientState& state, Now now, const portal::FlowCreated& flow, packet::Output& output) {
  ResourceEntry* entry = state.resources.find(flow.resource);
  if (entry == nullptr) return report(state, flow.resource, FlowOutcome::unknown_resource);
  if (!state.pending.contains(flow.resource)) return report(state, flow.resource, FlowOutcome::not_wanted);
  const Connect connected = connect(state, now, flow, output);
  if (!connected.usable) return report(state, flow.resource, FlowOutcome::bad_answer);
  if (connected.outcome == node::UpsertOutcome::full) return report(state, flow.resource, FlowOutcome::no_room);
  if (connected.outcome == node::UpsertOutcome::no_relays) {
    // What waits must survive until relays are there: its senders would only find out by their own timeouts.
    state.pending.wait_for_relays(flow.resource);
    state.relay_asks.want();
    return report(state, flow.resource, FlowOutcome::no_relays);
  }

  const bool moved = entry->gateway && *entry->gateway != flow.gateway;
  if (moved) take_from_gateway(state, now, *entry, output);
  ConnectedGateway& gateway = record_gateway(state, flow, connected.outcome);
  entry->gateway = gateway.id;
  gateway.resources.insert(flow.resource);
  state.sticky.use(gateway.id);
  refresh_site(state, gateway.site);
  sync_networks(state, now, output);
  std::ranges::move(state.pending.release(flow.resource), std::back_inserter(state.released));
  report(state, flow.resource, moved ? FlowOutcome::moved : FlowOutcome::created);
  settle(state, now, output);
}

void fail_flow(ClientState& state, Now now, const portal::FlowCreationFailed& failure, packet::Output& output) {
  const ResourceEntry* entry = state.resources.find(failure.resource);
  if (entry == nullptr) return report(state, failure.resource, FlowOutcome::unknown_resource);
  if (failure.reason == portal::FlowFailure::offline) {
    state.pending.abandon(failure.resource);
    state.pending.pace().renew(failure.resource);
    let_go(state, now, failure.resource, output);
    sync_networks(state, now, output);
    for (const policy::Site& site : entry->resource.sites) state.sites.set_offline(now.boot, site.id);
    state.resources_changed = true;
    return report(state, failure.resource, FlowOutcome::offline);
  }
  state.pending.pace().refused(failure.resource);
  switch (failure.reason) {
    case portal::FlowFailure::not_found:
      return report(state, failure.resource, FlowOutcome::not_found);
    case portal::FlowFailure::forbidden:
      return report(state, failure.resource, FlowOutcome::forbidden);
    case portal::FlowFailure::offline:
    case portal::FlowFailure::other:
      break;
  }
  report(state, failure.resource, FlowOutcome::refused);
}

void disable(ClientState& state, Now now, const Uuid& resource, packet::Output& output) {
  state.pending.abandon(resource);
  state.pending.pace().forget(resource);
  let_go(state, now, resource, output);
}

void let_go(ClientState& state, Now now, const Uuid& resource, packet::Output& output) {
  ResourceEntry* entry = state.resources.find(resource);
  if (entry != nullptr && entry->gateway) take_from_gateway(state, now, *entry, output);
  state.forget_lookups();
}

void sync_networks(ClientState& state, Now now, packet::Output& output) {
  state.forget_lookups();
  state.gateways.for_each([&](const ConnectedGateway& one) {
    std::vector<Prefix> destinations{host_prefix(one.ipv4), host_prefix(one.ipv6)};
    std::vector<Prefix> sources = destinations;
    for (const Uuid& id : one.resources) {
      const ResourceEntry* entry = state.resources.find(id);
      if (entry == nullptr) continue;
      ResourceTable::for_each_network(*entry, [&](const Prefix& network) {
        sources.push_back(network);
        if (state.resources.takes(*entry, network)) destinations.push_back(network);
      });
    }
    ConnectedGateway& gateway = *state.gateways.find(one.id);
    if (gateway.sources != sources) {
      gateway.sources_table.remove_all(gateway);
      for (const Prefix& source : sources) gateway.sources_table.insert(source, gateway);
      gateway.sources = std::move(sources);
    }
    if (gateway.destinations != destinations) {
      gateway.destinations = std::move(destinations);
      state.node.set_allowed_ips(now, gateway.connection, gateway.destinations, output);
    }
  });
}

void ask_again(ClientState& state, Now now) {
  for (const Uuid& resource : state.pending.take_waiting_for_relays(now.boot)) {
    // One that the portal's last message removed still waits for this one, which may bring it back.
    if (state.resources.find(resource) != nullptr) ask_portal(state, resource);
  }
}

void reset(ClientState& state, Now now, const crypto::Key& private_key, packet::Output& output) {
  state.sticky.clear();
  // Questions of the earlier session get no answer.
  state.resources.for_each([&](const ResourceEntry& entry) { state.pending.pace().forget(entry.resource.id); });
  state.relay_asks = {};
  // What was to be told belongs to connections that are gone.
  std::erase_if(state.events, [](const ClientEvent& event) {
    return std::holds_alternative<portal::IceCandidates>(event) || std::holds_alternative<RelaysWanted>(event);
  });
  for (ClientEvent& event : state.events) {
    if (auto* intent = std::get_if<portal::CreateFlow>(&event)) intent->connected_gateways.clear();
  }
  state.node.reset(now, private_key, output);
  settle(state, now, output);
}

void plan_behind_released(ClientState& state, Now now, packet::TunBatch& batch, packet::Work& work) {
  if (state.released.empty()) return state.node.plan(now, batch, work);
  PendingFlows::Packets earlier = std::exchange(state.released, {});
  std::vector<packet::TunPacket> packets;
  for (PendingFlows::Packet& packet : earlier) packets.push_back({.bytes = packet, .offload = {}});
  batch.packets.insert(batch.packets.begin(), packets.begin(), packets.end());
  state.node.plan(now, batch, work);  // copies what it does not drop
}

void settle(ClientState& state, Now now, packet::Output& output) {
  bool again = true;
  while (again) {
    bool ended = false;
    while (auto event = state.node.poll_event()) {
      ended = ended || event->kind == NodeEvent::Kind::failed || event->kind == NodeEvent::Kind::closed;
      handle_node_event(state, std::move(*event));
    }
    if (ended) sync_networks(state, now, output);
    again = !state.released.empty() && state.works_planned == 0;
    if (again) send_released(state, now, output);
  }
  if (state.relay_asks.poll(now.boot)) state.tell(RelaysWanted{});
}

namespace {

void report(ClientState& state, const Uuid& resource, FlowOutcome outcome) {
  const auto counter = [&] {
    switch (outcome) {
      case FlowOutcome::created:
        return ClientCounter::flows_created;
      case FlowOutcome::moved:
        return ClientCounter::flows_moved;
      case FlowOutcome::unknown_resource:
        return ClientCounter::flows_unknown_resource;
      case FlowOutcome::not_wanted:
        return ClientCounter::flows_not_wanted;
      case FlowOutcome::no_relays:
        return ClientCounter::flows_no_relays;
      case FlowOutcome::no_room:
        return ClientCounter::flows_no_room;
      case FlowOutcome::bad_answer:
        return ClientCounter::flows_bad_answer;
      case FlowOutcome::offline:
      case FlowOutcome::not_found:
      case FlowOutcome::forbidden:
      case FlowOutcome::refused:
        break;
    }
    return ClientCounter::flows_refused;
  };
  state.counters.add(counter());
  state.tell(FlowReport{.resource = resource, .outcome = outcome});
}

// A message that was not fetched yet says the same.
void ask_portal(ClientState& state, const Uuid& resource) {
  state.counters.add(ClientCounter::intents);
  for (ClientEvent& event : state.events) {
    auto* intent = std::get_if<portal::CreateFlow>(&event);
    if (intent == nullptr || intent->resource != resource) continue;
    intent->connected_gateways = state.sticky.sorted();
    return;
  }
  state.tell(portal::CreateFlow{.resource = resource, .connected_gateways = state.sticky.sorted()});
}

Connect connect(ClientState& state, Now now, const portal::FlowCreated& flow, packet::Output& output) {
  const auto local = ice::Credentials::make(flow.client_ice.username, flow.client_ice.password);
  const auto remote = ice::Credentials::make(flow.gateway_ice.username, flow.gateway_ice.password);
  const bool addresses = flow.gateway_ipv4.is_v4() && !flow.gateway_ipv6.is_v4();
  if (!local || !remote || !addresses) return {};
  const ConnectedGateway* known = state.gateways.find(flow.gateway);
  // Whoever keeps his connection keeps his networks until sync_networks().
  std::vector<Prefix> networks = known != nullptr
                                     ? known->destinations
                                     : std::vector{host_prefix(flow.gateway_ipv4), host_prefix(flow.gateway_ipv6)};
  const node::ConnectionParameters parameters{.id = flow.gateway.to_string(),
                                              .peer_key = flow.gateway_key,
                                              .preshared_key = flow.preshared_key,
                                              .local = *local,
                                              .remote = *remote,
                                              .allowed_ips = std::move(networks)};
  const node::UpsertOutcome outcome = state.node.upsert(now, parameters, output);
  // Another gateway with this key is gone by that, and must be forgotten before this one is noted.
  while (auto event = state.node.poll_event()) handle_node_event(state, std::move(*event));
  return {.outcome = outcome, .usable = true};
}

ConnectedGateway& record_gateway(ClientState& state, const portal::FlowCreated& flow, node::UpsertOutcome outcome) {
  ConnectedGateway* gateway = state.gateways.find(flow.gateway);
  // A gateway that started anew knows of no earlier grant: what it had is asked for again with traffic.
  if (gateway != nullptr && outcome != node::UpsertOutcome::reused) {
    gateway->established = false;
    forget_resources(state, *gateway);
    refresh_site(state, gateway->site);
    gateway = nullptr;
  }
  if (gateway == nullptr) gateway = &state.gateways.insert(flow.gateway, flow.gateway_key);
  gateway->ipv4 = flow.gateway_ipv4;
  gateway->ipv6 = flow.gateway_ipv6;
  gateway->site = flow.site;
  return *gateway;
}

void take_from_gateway(ClientState& state, Now now, ResourceEntry& entry, packet::Output& output) {
  ConnectedGateway* gateway = entry.gateway ? state.gateways.find(*entry.gateway) : nullptr;
  entry.gateway.reset();
  if (gateway == nullptr) return;
  gateway->resources.erase(entry.resource.id);
  if (!gateway->resources.empty()) return;
  const Uuid id = gateway->id;
  state.node.close(now, gateway->connection, output);
  // At once: the same gateway may come back before the node's events are looked at.
  while (auto event = state.node.poll_event()) handle_node_event(state, std::move(*event));
  forget_gateway(state, id);
}

void forget_resources(ClientState& state, ConnectedGateway& gateway) {
  for (const Uuid& id : std::exchange(gateway.resources, {})) {
    if (ResourceEntry* entry = state.resources.find(id)) entry->gateway.reset();
  }
  state.forget_lookups();
}

void forget_gateway(ClientState& state, const Uuid& id) {
  ConnectedGateway* gateway = state.gateways.find(id);
  if (gateway == nullptr) return;
  const Uuid site = gateway->site;
  forget_resources(state, *gateway);
  state.gateways.erase(id);
  state.sites.set_unknown(site);
  refresh_site(state, site);
}

// Online while any of its gateways is connected.
void refresh_site(ClientState& state, const Uuid& site) {
  bool online = false;
  state.gateways.for_each([&](const ConnectedGateway& one) { online |= one.established && one.site == site; });
  if (online) {
    state.sites.set_online(site);
  } else if (state.sites.of(site) == Reachability::online) {
    state.sites.set_unknown(site);
  }
  state.resources_changed = true;
}

void handle_node_event(ClientState& state, NodeEvent event) {
  if (event.kind == NodeEvent::Kind::no_relays_left) return state.relay_asks.want();
  const auto id = Uuid::parse(event.connection);
  if (!id) return;
  switch (event.kind) {
    case NodeEvent::Kind::candidates_gathered:
    case NodeEvent::Kind::candidates_invalidated:
      return tell_candidates(state, *id, std::move(event));
    case NodeEvent::Kind::established:
    case NodeEvent::Kind::path_changed:
    case NodeEvent::Kind::failed:
    case NodeEvent::Kind::closed:
    case NodeEvent::Kind::no_relays_left:
      break;
  }
  ConnectedGateway* gateway = state.gateways.find(*id);
  if (gateway == nullptr) return;
  state.tell(GatewayReport{.gateway = *id,
                           .site = gateway->site,
                           .kind = event.kind,
                           .reason = event.reason,
                           .path = std::move(event.path)});
  if (event.kind == NodeEvent::Kind::established) {
    gateway->established = true;
    refresh_site(state, gateway->site);
  } else if (event.kind != NodeEvent::Kind::path_changed) {
    forget_gateway(state, *id);
  }
}

// One message for what was gathered before it is fetched.
void tell_candidates(ClientState& state, const Uuid& gateway, NodeEvent event) {
  const bool invalidate = event.kind == NodeEvent::Kind::candidates_invalidated;
  if (!state.events.empty()) {
    auto* last = std::get_if<portal::IceCandidates>(&state.events.back());
    if (last != nullptr && last->peer == gateway && last->invalidate == invalidate) {
      std::ranges::move(event.candidates, std::back_inserter(last->candidates));
      return;
    }
  }
  state.tell(
      portal::IceCandidates{.peer = gateway, .candidates = std::move(event.candidates), .invalidate = invalidate});
}

// The node copies what it does not send at once.
void send_released(ClientState& state, Now now, packet::Output& output) {
  packet::TunBatch batch;
  PendingFlows::Packets packets = std::exchange(state.released, {});
  for (PendingFlows::Packet& packet : packets) {
    batch.packets.push_back({.bytes = packet, .offload = {}});
    if (batch.packets.size() < packet::kTunBatchPackets && &packet != &packets.back()) continue;
    state.node.plan(now, batch, *state.work);
    state.aead.seal(state.work->jobs);
    state.node.commit(now, *state.work, output);
  }
}

Prefix host_prefix(const IpAddress& address) noexcept {
  return Prefix::make(address, address.bits()).value_or(Prefix());
}

}  // namespace

}  // namespace fireline::tunnel
