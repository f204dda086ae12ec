#include "core/portal/server/gateway_choice.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace fireline::portal {
namespace {

constexpr ProgramVersion kPatternsSince{1, 2, 0};

bool serves(const Session& gateway, const Session& client, const policy::Resource& resource) {
  return std::ranges::find(resource.sites, gateway.device.key.owner, &policy::Site::id) != resource.sites.end() &&
         gateway_fits(client.agent, gateway.agent) && understands(gateway.agent, resource);
}

bool answers(Instant now, const Session& gateway) {
  return !gateway.asked || now - *gateway.asked < kGatewayPatience;
}

}  // namespace

bool understands(const ProgramAgent& agent, const policy::Resource& resource) noexcept {
  if (resource.kind == policy::ResourceKind::internet) return knows_internet_resource(agent);
  if (resource.kind == policy::ResourceKind::dns)
    return agent.parsed_version && *agent.parsed_version >= kPatternsSince;
  return true;
}

Session* choose_gateway(Instant now, const Presence& presence, const Session& client, const policy::Resource& resource,
                        std::span<const Uuid> connected, const std::optional<Uuid>& before, crypto::Random& random) {
  std::vector<Session*> candidates;
  for (const auto& [id, gateway] : presence.gateways()) {
    if (serves(*gateway, client, resource)) candidates.push_back(gateway);
  }
  const auto keep = [&](auto&& condition) {
    if (std::ranges::any_of(candidates, condition)) std::erase_if(candidates, std::not_fn(condition));
  };
  keep([&](const Session* gateway) { return answers(now, *gateway); });
  keep([&](const Session* gateway) { return before == gateway->device.id; });
  keep([&](const Session* gateway) { return std::ranges::find(connected, gateway->device.id) != connected.end(); });
  if (candidates.empty()) return nullptr;
  return candidates[random.u32() % candidates.size()];
}

}  // namespace fireline::portal
