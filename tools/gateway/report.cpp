#include "tools/gateway/report.h"

#include <nlohmann/json.hpp>

#include "tools/tunnel/report_parts.h"

namespace fireline::gateway {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const tunnel::GatewayStatus& status) {
  Json clients = Json::array();
  for (const auto& client : status.clients) {
    Json grants = Json::array();
    for (const auto& grant : client.grants) {
      grants.push_back({{"resource", grant.resource.id.to_string()}, {"name", grant.resource.name}});
      if (grant.expires_at) grants.back()["expires_at"] = *grant.expires_at;
    }
    Json one{{"id", client.id.to_string()},
             {"ipv4", client.ipv4.to_string()},
             {"ipv6", client.ipv6.to_string()},
             {"grants", std::move(grants)}};
    if (client.connection && client.connection->path) one["path"] = tunnel::path_json(*client.connection->path);
    clients.push_back(std::move(one));
  }
  return clients;
}

}  // namespace

std::string answer_status(std::string_view line, tunnel::Tunnel<tunnel::Gateway>& tunnel, const PortalSession& portal) {
  const auto add_status = [&](Json& document) {
    tunnel::GatewayStatus status;
    tunnel.run([&](tunnel::Gateway& gateway, Now, packet::Output&) { status = gateway.status(); });
    document["clients"] = to_json(status);
  };
  return tunnel::answer_status(line, "gateway", tunnel, portal, add_status);
}

}  // namespace fireline::gateway
