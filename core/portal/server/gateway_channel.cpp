#include "core/portal/server/gateway_channel.h"

#include <set>
#include <utility>
#include <vector>

#include "core/portal/frame.h"
#include "core/portal/server/client_channel.h"
#include "core/portal/server/policy_change.h"
#include "core/portal/server/relay_channel.h"

namespace fireline::portal {
namespace {

constexpr std::string_view kInvalidRef = "invalid_ref";

void flow_authorized(ControlPlaneState& state, const Session& gateway, const FlowAuthorized& answer,
                     std::optional<std::uint64_t> ref) {
  const auto flow = state.flows.take(gateway.id, answer.ref);
  if (!flow) {
    state.counters.add(PortalCounter::flow_bad_ref);
    return state.actions.send(gateway.id, write_error(name_of(Role::gateway), ref, kInvalidRef));
  }
  state.actions.send(gateway.id, write_ok(name_of(Role::gateway), ref));
  // Since the question the client may have left or been sent to another gateway, and the policy may have taken the
  // grant away.
  const Session* const client = state.presence.find(flow->client);
  const bool current = client != nullptr && client->channel == JoinState::joined &&
                       state.memories[client->device.id].serves(flow->answer.resource, gateway.device.id) &&
                       state.grants.find({client->device.id, flow->answer.resource, gateway.device.id}) != nullptr;
  if (!current) return state.counters.add(PortalCounter::flow_stale);
  state.counters.add(PortalCounter::flow_authorized);
  push(state, *client, flow->answer);
}

void pass_on(ControlPlaneState& state, const Session& gateway, const CandidateBroadcast& broadcast) {
  const auto text = write_candidates(Role::client, gateway.device.id, broadcast);
  for (const Uuid& peer : broadcast.peers) {
    const Session* const client = state.presence.client(peer);
    if (!takes_candidates(state, client)) continue;
    state.actions.send(client->id, write_push(name_of(Role::client), text.event, text.payload));
  }
}

}  // namespace

void push_gateway_init(ControlPlaneState& state, Session& gateway, Now now) {
  std::vector<Authorization> authorizations;
  for (const auto& [key, grant] : state.grants.all()) {
    if (key.gateway != gateway.device.id || grant.expires_at <= unix_seconds(now)) continue;
    authorizations.push_back({.client = key.client, .resource = key.resource, .expires_at = grant.expires_at});
  }
  GatewayInit init{.interface = {.ipv4 = gateway.device.ipv4,
                                 .ipv6 = gateway.device.ipv6,
                                 .upstream_do53 = {},
                                 .upstream_doh = {},
                                 .search_domain = {}},
                   .relays = offer_relays(state, gateway),
                   .account_slug = state.document->account.slug,
                   .authorizations = std::move(authorizations)};
  push(state, gateway, init);
}

void gateway_joined(ControlPlaneState& state, Session& gateway, Now now) {
  review_grants_before_init(state, gateway, now);
  push_gateway_init(state, gateway, now);
  state.untold.recall(gateway.device.id, now);
  tell_rejections(state, gateway, now);
  // Which names grants alone: filters may have changed while it, or the portal, was away.
  std::set<Uuid> resources;
  for (const auto& [key, grant] : state.grants.all()) {
    if (key.gateway == gateway.device.id && grant.expires_at > unix_seconds(now)) resources.insert(key.resource);
  }
  for (const Uuid& id : resources) {
    const policy::Resource* const resource = state.document->resource(id);
    if (resource != nullptr) push(state, gateway, ResourceUpdated{policy::gateway_view(*resource)});
  }
}

bool tell_rejection(ControlPlaneState& state, const Session& gateway, const GrantKey& key, Now now) {
  // All that waits to be sent may be for it.
  const std::size_t owed =
      state.actions.bytes() + (state.unsent_bytes ? state.unsent_bytes(gateway.id) : std::size_t{0});
  if (owed > kRejectionsUnsentMax) {
    if (!state.rejections_due) state.rejections_due = now.boot + kRejectionsEvery;
    return false;
  }
  state.counters.add(PortalCounter::access_rejected);
  push(state, gateway, RejectAccess{.client = key.client, .resource = key.resource});
  state.untold.told(key, now.boot);
  return true;
}

void tell_rejections(ControlPlaneState& state, const Session& gateway, Now now) {
  while (const auto key = state.untold.next(gateway.device.id)) {
    const bool granted_anew = state.grants.find(*key) != nullptr;
    if (!granted_anew && !tell_rejection(state, gateway, *key, now)) return;
    state.untold.take(*key);
  }
}

void tell_rejections(ControlPlaneState& state, Now now) {
  if (!state.rejections_due || now.boot < *state.rejections_due) return;
  state.rejections_due.reset();
  for (const auto& [id, gateway] : state.presence.gateways()) tell_rejections(state, *gateway, now);
}

void gateway_says(ControlPlaneState& state, Session& gateway, const GatewayRequest& request,
                  std::optional<std::uint64_t> ref) {
  if (const auto* answer = std::get_if<FlowAuthorized>(&request)) return flow_authorized(state, gateway, *answer, ref);
  pass_on(state, gateway, std::get<CandidateBroadcast>(request));
}

void push(ControlPlaneState& state, const Session& gateway, const PortalToGateway& message) {
  const MessageText text = write(message);
  state.actions.send(gateway.id, write_push(name_of(Role::gateway), text.event, text.payload));
}

}  // namespace fireline::portal
