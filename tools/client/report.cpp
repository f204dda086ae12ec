#include "tools/client/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/tunnel/counters.h"
#include "tools/tunnel/report_parts.h"

namespace fireline::client {
namespace {

using Json = nlohmann::ordered_json;

tunnel::CounterMap counters_of(tunnel::Tunnel<tunnel::Client>& tunnel, const PortalSession& portal) {
  tunnel::CounterMap counters;
  tunnel::add_counter_set(tunnel.core().counters(), counters);
  tunnel::add_counters(tunnel.core().node(), counters);
  tunnel::add_counters(tunnel.path(), tunnel.devices(), counters);
  tunnel::add_counter_set(portal.counters(), counters);
  return counters;
}

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

std::string answer_status(std::string_view line, tunnel::Tunnel<tunnel::Client>& tunnel,
                          const PortalSession& portal) {
  if (line == "metrics") return tunnel::metrics_text("client", counters_of(tunnel, portal));
  if (line != "status" && line != "status text") return "ask for status, status text or metrics\n";
  tunnel::ClientStatus status;
  std::vector<node::ConnectionStatus> connections;
  tunnel.run([&](tunnel::Client& client, Now, packet::Output&) {
    status = client.status();
    connections = client.node().status();
  });
  Json document{{"version", FIRELINE_VERSION},
                {"interface", tunnel.devices().tun->name()},
                {"portal", portal.status().state},
                {"configured", status.configured},
                {"resources", resources_json(status.resources)},
                {"gateways", gateways_json(status, connections)},
                {"counters", counters_of(tunnel, portal)}};
  if (status.configured) {
    document["ipv4"] = status.ipv4.to_string();
    document["ipv6"] = status.ipv6.to_string();
  }
  if (line == "status text") document.erase("counters");
  return document.dump(2) + "\n";
}

}  // namespace fireline::client
