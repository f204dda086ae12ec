#include "core/portal/server/client_channel.h"

#include <algorithm>
#include <utility>

#include "core/policy/difference.h"
#include "core/portal/credentials.h"
#include "core/portal/frame.h"
#include "core/portal/server/gateway_channel.h"
#include "core/portal/server/gateway_choice.h"
#include "core/portal/server/policy_change.h"
#include "core/portal/server/relay_channel.h"

namespace fireline::portal {
namespace {

void create_flow(ControlPlaneState& state, Session& client, const CreateFlow& wish, Now now);
void authorize(ControlPlaneState& state, Session& client, Session& gateway, const policy::Resource& resource,
               const Grant& grant, Now now);

void fail(ControlPlaneState& state, const Session& client, const Uuid& resource, FlowFailure reason,
          std::vector<std::string> violated = {}) {
  const auto [counter, text] = reason == FlowFailure::not_found ? std::pair{PortalCounter::flow_not_found, "not_found"}
                               : reason == FlowFailure::forbidden
                                   ? std::pair{PortalCounter::flow_forbidden, "forbidden"}
                                   : std::pair{PortalCounter::flow_offline, "offline"};
  state.counters.add(counter);
  push(state, client,
       FlowCreationFailed{
           .resource = resource, .reason = reason, .reason_text = text, .violated_properties = std::move(violated)});
}

// 6.12: the sender goes in, the candidates stay as they are; who is not there is left out.
void pass_on(ControlPlaneState& state, const Session& client, const CandidateBroadcast& broadcast) {
  const auto text = write_candidates(Role::gateway, client.device.id, broadcast);
  for (const Uuid& peer : broadcast.peers) {
    const Session* const gateway = state.presence.gateway(peer);
    if (!takes_candidates(state, gateway)) continue;
    state.actions.send(gateway->id, write_push(name_of(Role::gateway), text.event, text.payload));
  }
}

}  // namespace

void client_joined(ControlPlaneState& state, Session& client, Now now) {
  ClientMemory& memory = state.memories[client.device.id];
  if (memory.key != client.key) memory = {.key = client.key, .gateways = {}};
  review_grants_of(state, client, now);
  client.sees = resources_of(*state.document, client, now);
  std::vector<std::string_view> resources;
  for (const std::size_t place : client.sees) resources.push_back(state.resource_texts.at(*state.document, place));
  const MessageText init = write_init(interface_of(*state.document, client), resources, offer_relays(state, client));
  state.actions.send(client.id, write_push(name_of(Role::client), init.event, init.payload));
}

void client_asks(ControlPlaneState& state, Session& client, const ClientRequest& request, Now now) {
  if (const auto* wish = std::get_if<CreateFlow>(&request)) return create_flow(state, client, *wish, now);
  pass_on(state, client, std::get<CandidateBroadcast>(request));
}

std::vector<std::size_t> resources_of(const policy::Document& document, const Session& client, Now now) {
  const policy::Actor* const actor = document.actor(client.device.key.owner);
  if (actor == nullptr) return {};
  auto places = policy::visible_resources(document, *actor, context_of(client.source, now));
  std::erase_if(places, [&](std::size_t place) { return !understands(client.agent, document.resources[place]); });
  return places;
}

Interface interface_of(const policy::Document& document, const Session& client) {
  return {.ipv4 = client.device.ipv4,
          .ipv6 = client.device.ipv6,
          .upstream_do53 = document.dns.servers,
          .upstream_doh = {},
          .search_domain = document.dns.search_domain};
}

void push(ControlPlaneState& state, const Session& client, const PortalToClient& message) {
  const MessageText text = write(message);
  state.actions.send(client.id, write_push(name_of(Role::client), text.event, text.payload));
}

namespace {

void create_flow(ControlPlaneState& state, Session& client, const CreateFlow& wish, Now now) {
  state.counters.add(PortalCounter::flow_asked);
  const policy::Document& document = *state.document;
  const policy::Actor* const actor = document.actor(client.device.key.owner);
  const policy::Resource* const resource = document.resource(wish.resource);
  if (actor == nullptr || resource == nullptr || !understands(client.agent, *resource)) {
    return fail(state, client, wish.resource, FlowFailure::not_found);
  }
  const auto access = policy::access(document, *actor, wish.resource, context_of(client.source, now));
  if (!access) {
    if (access.error().reason == policy::Refusal::not_found) {
      return fail(state, client, wish.resource, FlowFailure::not_found);
    }
    std::vector<std::string> violated;
    for (const policy::Property property : access.error().violated) violated.emplace_back(policy::name_of(property));
    return fail(state, client, wish.resource, FlowFailure::forbidden, std::move(violated));
  }

  auto& used = state.memories[client.device.id].gateways;
  const auto before = used.find(wish.resource);
  Session* const gateway =
      choose_gateway(now.boot, state.presence, client, *resource, wish.connected_gateways,
                     before == used.end() ? std::nullopt : std::optional(before->second), state.random);
  if (gateway == nullptr) return fail(state, client, wish.resource, FlowFailure::offline);
  if (before != used.end() && before->second != gateway->device.id) {
    state.counters.add(PortalCounter::flow_moved);
    push(state, client, ResourceDeleted{wish.resource});
    push(state, client, ResourceCreatedOrUpdated{*resource});
  }
  used[wish.resource] = gateway->device.id;
  const Grant grant{.actor = actor->id,
                    .token = client.token,
                    .source = client.source,
                    .token_expires = client.token_expires,
                    .expires_at = grant_end(access->until, client.token_expires),
                    .asked = state.grants.next(),
                    .opened = policy::identity_of(*resource)};
  authorize(state, client, *gateway, *resource, grant, now);
}

void authorize(ControlPlaneState& state, Session& client, Session& gateway, const policy::Resource& resource,
               const Grant& grant, Now now) {
  const GrantKey key{.client = client.device.id, .resource = resource.id, .gateway = gateway.device.id};
  // A change of the policy may have taken what was asked for: the gateway will not answer with an open way then.
  if (state.grants.find(key) != nullptr && state.flows.waits(now.boot, client.id, gateway.id, resource.id)) {
    return state.counters.add(PortalCounter::flow_repeated);
  }
  if (state.unsent_bytes && state.unsent_bytes(gateway.id) > kQuestionsUnsentMax) {
    return state.counters.add(PortalCounter::flow_slow);
  }
  const FlowEnds ends{
      .client = client.device.id, .client_key = client.key, .gateway = gateway.device.id, .gateway_key = gateway.key};
  const auto ice = flow_ice_credentials(ends);
  const auto preshared_key = flow_preshared_key(ends, client.device.psk_base, gateway.device.psk_base);
  auto ref = state.flows.add(now.boot, state.random,
                             {.client = client.id,
                              .gateway = gateway.id,
                              .actor = grant.actor,
                              .answer = {.resource = resource.id,
                                         .gateway = gateway.device.id,
                                         .site = gateway.device.key.owner,
                                         .gateway_key = gateway.key,
                                         .gateway_ipv4 = gateway.device.ipv4,
                                         .gateway_ipv6 = gateway.device.ipv6,
                                         .preshared_key = preshared_key,
                                         .client_ice = ice.client,
                                         .gateway_ice = ice.gateway}});
  // The gateway must not hear of its end behind this, nor go on with what has ended.
  if (state.untold.take(key)) {
    state.counters.add(PortalCounter::access_rejected);
    push(state, gateway, RejectAccess{.client = key.client, .resource = key.resource});
  }
  const Grant* const known = state.grants.find(key);
  const bool other_end = known != nullptr && known->expires_at != grant.expires_at;
  if (ref && known == nullptr && state.grants.full()) make_room(state, key.client, now);
  if (!ref || !state.grants.put(key, grant)) return state.counters.add(PortalCounter::flow_limited);

  if (!gateway.asked) gateway.asked = now.boot;
  const policy::Actor* const actor = state.document->actor(grant.actor);
  push(state, gateway,
       AuthorizeFlow{.ref = std::move(*ref),
                     .resource = policy::gateway_view(resource),
                     .client = client.device.id,
                     .client_key = client.key,
                     .preshared_key = preshared_key,
                     .client_ipv4 = client.device.ipv4,
                     .client_ipv6 = client.device.ipv6,
                     .client_ice = ice.client,
                     .gateway_ice = ice.gateway,
                     .expires_at = grant.expires_at,
                     .description = {.version = client.agent.version,
                                     .os_name = client.agent.os_name,
                                     .os_version = client.agent.os_version,
                                     .actor_name = actor->name,
                                     .actor_email = actor->email,
                                     .device_serial = client.device_serial,
                                     .device_uuid = client.device_uuid,
                                     .actor_id = actor->id.to_string()}});
  // Baseline gateways leave the end of a grant that they have as it was.
  if (other_end) {
    state.counters.add(PortalCounter::expiry_updated);
    push(state, gateway, AuthorizationExpiryUpdated{key.client, key.resource, grant.expires_at});
  }
}

}  // namespace
}  // namespace fireline::portal
