#include "core/portal/server/gateway_choice.h"

#include <algorithm>
#include <vector>

namespace fireline::portal {
namespace {

constexpr ProgramVersion kPatternsSince{1, 2, 0};

bool serves(const Session& gateway, const Session& client, const policy::Resource& resource) {
  return std::ranges::find(resource.sites, gateway.device.key.owner, &policy::Site::id) != resource.sites.end() &&
         gateway_fits(client.agent, gateway.agent) && understands(gateway.agent, resource);
}

}  // namespace

bool understands(const ProgramAgent& agent, const policy::Resource& resource) noexcept {
  if (resource.kind == policy::ResourceKind::internet) return knows_internet_resource(agent);
  if (resource.kind == policy::ResourceKind::dns)
    return agent.parsed_version && *agent.parsed_version >= kPatternsSince;
  return true;
}

Session* choose_gateway(const Presence& presence, const Session& client, const policy::Resource& resource,
                        std::span<const Uuid> connected, const std::optional<Uuid>& before, crypto::Random& random) {
  std::vector<Session*> candidates;
  std::vector<Session*> preferred;
  for (const auto& [id, gateway] : presence.gateways()) {
    if (!serves(*gateway, client, resource)) continue;
    if (before == id) return gateway;
    candidates.push_back(gateway);
    if (std::ranges::find(connected, id) != connected.end()) preferred.push_back(gateway);
  }
  const auto& choice = preferred.empty() ? candidates : preferred;
  if (choice.empty()) return nullptr;
  return choice[random.u32() % choice.size()];
}

}  // namespace fireline::portal
