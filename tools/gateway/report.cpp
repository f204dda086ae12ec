#include "tools/gateway/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/tunnel/counters.h"
#include "tools/tunnel/report_parts.h"

namespace fireline::gateway {
namespace {

using Json = nlohmann::ordered_json;

tunnel::CounterMap counters_of(tunnel::Tunnel<tunnel::Gateway>& tunnel, const PortalSession& portal) {
  tunnel::CounterMap counters;
  tunnel::add_counter_set(tunnel.core().counters(), counters);
  tunnel::add_counters(tunnel.core().node(), counters);
  tunnel::add_counters(tunnel.path(), tunnel.devices(), counters);
  tunnel::add_counter_set(portal.counters(), counters);
  return counters;
}

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

std::string answer_status(std::string_view line, tunnel::Tunnel<tunnel::Gateway>& tunnel,
                          const PortalSession& portal) {
  if (line == "metrics") return tunnel::metrics_text("gateway", counters_of(tunnel, portal));
  if (line != "status" && line != "status text") return "ask for status, status text or metrics\n";
  tunnel::GatewayStatus status;
  tunnel.run([&](tunnel::Gateway& gateway, Now, packet::Output&) { status = gateway.status(); });
  Json document{{"version", FIRELINE_VERSION},
                {"interface", tunnel.devices().tun->name()},
                {"portal", portal.status().state},
                {"clients", to_json(status)},
                {"counters", counters_of(tunnel, portal)}};
  if (line == "status text") document.erase("counters");
  return document.dump(2) + "\n";
}

}  // namespace fireline::gateway
