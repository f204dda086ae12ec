#include "core/portal/server/control_plane_status.h"

#include <map>

#include "core/portal/server/control_plane.h"
#include "core/portal/server/control_plane_state.h"

namespace fireline::portal {
namespace {

std::uint64_t seconds_since(Instant then, Now now) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.boot - then).count());
}

OnlineDevice describe(const Session& session, std::string owner, std::uint64_t grants, Now now) {
  return {.id = session.device.id.to_string(),
          .owner = std::move(owner),
          .name = session.name,
          .agent = session.agent.component + '/' + session.agent.version,
          .source = session.source.to_string(),
          .public_key = session.key.to_base64(),
          .ipv4 = session.device.ipv4.to_string(),
          .ipv6 = session.device.ipv6.to_string(),
          .online_seconds = seconds_since(session.since, now),
          .grants = grants};
}

}  // namespace

ControlPlaneStatus ControlPlane::status(Now now) const {
  const policy::Document& document = *state_->document;
  std::map<Uuid, std::uint64_t> grants;
  for (const auto& [key, grant] : state_->grants.all()) {
    ++grants[key.client];
    ++grants[key.gateway];
  }
  ControlPlaneStatus status{.account = document.account.slug,
                            .clients = {},
                            .gateways = {},
                            .relays = {},
                            .connections = state_->presence.sessions().size(),
                            .grants = state_->grants.all().size(),
                            .pending_flows = state_->flows.size(),
                            .sites = document.sites.size(),
                            .resources = document.resources.size(),
                            .actors = document.actors.size(),
                            .policies = document.policies.size()};
  for (const auto& [id, session] : state_->presence.clients()) {
    const policy::Actor* const actor = document.actor(session->device.key.owner);
    status.clients.push_back(describe(*session, actor != nullptr ? actor->name : "", grants[id], now));
  }
  for (const auto& [id, session] : state_->presence.gateways()) {
    const policy::Site* const site = document.site(session->device.key.owner);
    status.gateways.push_back(describe(*session, site != nullptr ? site->name : "", grants[id], now));
  }
  for (const auto& [id, entry] : state_->relays.entries()) {
    OnlineRelay relay{.id = id.to_string(), .name = entry.name, .addresses = {}, .departing = entry.left.has_value()};
    for (const auto& address : {entry.relay.ipv4, entry.relay.ipv6}) {
      if (address) relay.addresses.push_back(Endpoint{.address = *address, .port = entry.relay.port}.to_string());
    }
    status.relays.push_back(std::move(relay));
  }
  return status;
}

}  // namespace fireline::portal
