#include "tools/client/report.h"

#include <nlohmann/json.hpp>

#include "tools/tunnel/report_parts.h"

namespace fireline::client {
namespace {

using Json = nlohmann::ordered_json;

Json resources_json(const tunnel::ResourceList& resources) {
  Json list = Json::array();
  for (const auto& resource : resources) {
    Json sites = Json::array();
    for (const auto& site : resource.sites) sites.push_back({{"id", site.id.to_string()}, {"name", site.name}});
    list.push_back({{"id", resource.id.to_string()},
                    {"type", policy::name_of(resource.kind)},
                    {"name", resource.name},
                    {"address", resource.address},
                    {"sites", std::move(sites)},
                    {"status", tunnel::name_of(resource.status)},
                    {"enabled", resource.enabled}});
  }
  return list;
}

Json gateways_json(const tunnel::ClientStatus& status, const std::vector<node::ConnectionStatus>& connections) {
  Json list = Json::array();
  for (const auto& gateway : status.gateways) {
    Json one{{"id", gateway.id.to_string()},
             {"site", gateway.site.to_string()},
             {"established", gateway.established},
             {"resources", gateway.resources}};
    for (const auto& connection : connections) {
      if (connection.id == gateway.id.to_string() && connection.path) one["path"] = tunnel::path_json(*connection.path);
    }
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace

std::string answer_status(std::string_view line, tunnel::Tunnel<tunnel::Client>& tunnel, const PortalSession& portal) {
  const auto add_status = [&](Json& document) {
    tunnel::ClientStatus status;
    std::vector<node::ConnectionStatus> connections;
    tunnel.run([&](tunnel::Client& client, Now, packet::Output&) {
      status = client.status();
      connections = client.node().status();
    });
    document["configured"] = status.configured;
    if (status.configured) {
      document["ipv4"] = status.ipv4.to_string();
      document["ipv6"] = status.ipv6.to_string();
    }
    document["resources"] = resources_json(status.resources);
    document["gateways"] = gateways_json(status, connections);
  };
  return tunnel::answer_status(line, "client", tunnel, portal, add_status);
}

}  // namespace fireline::client
