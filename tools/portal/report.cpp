#include "tools/portal/report.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/common/prometheus.h"

namespace fireline::portal_tool {
namespace {

nlohmann::ordered_json devices_json(const std::vector<portal::OnlineDevice>& devices, const char* owner) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& device : devices) {
    list.push_back({{"id", device.id},
                    {owner, device.owner},
                    {"name", device.name},
                    {"agent", device.agent},
                    {"source", device.source},
                    {"public_key", device.public_key},
                    {"ipv4", device.ipv4},
                    {"ipv6", device.ipv6},
                    {"online_seconds", device.online_seconds},
                    {"grants", device.grants}});
  }
  return list;
}

void append_devices(std::string& out, std::string_view title, const std::vector<portal::OnlineDevice>& devices) {
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "{}: {}\n", title, devices.size());
  for (const auto& device : devices) {
    fmt::format_to(to, "  {} ({}) {} from {}, {} s, {}, {} grants\n", device.name.empty() ? device.id : device.name,
                   device.owner, device.ipv4, device.source, device.online_seconds, device.agent, device.grants);
  }
}

}  // namespace

std::string status_json(const Report& report) {
  nlohmann::ordered_json status{{"program", "fireline-portal"},
                                {"version", FIRELINE_VERSION},
                                {"uptime_seconds", report.uptime_seconds},
                                {"listen", report.listens},
                                {"tls", report.tls},
                                {"account", report.plane.account},
                                {"policy",
                                 {{"file", report.policy_file},
                                  {"error", report.policy_error},
                                  {"sites", report.plane.sites},
                                  {"resources", report.plane.resources},
                                  {"actors", report.plane.actors},
                                  {"policies", report.plane.policies}}},
                                {"connections", report.plane.connections},
                                {"grants", report.plane.grants},
                                {"pending_flows", report.plane.pending_flows}};
  status["clients"] = devices_json(report.plane.clients, "actor");
  status["gateways"] = devices_json(report.plane.gateways, "site");
  auto& relays = status["relays"] = nlohmann::ordered_json::array();
  for (const auto& relay : report.plane.relays) {
    relays.push_back(
        {{"id", relay.id}, {"name", relay.name}, {"addresses", relay.addresses}, {"departing", relay.departing}});
  }
  auto& counters = status["counters"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : report.counters) counters[name] = value;
  // Names are the programs' own words.
  return status.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string status_text(const Report& report) {
  std::string out;
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "account {}: {} resources, {} sites, {} actors, {} policies\n", report.plane.account,
                 report.plane.resources, report.plane.sites, report.plane.actors, report.plane.policies);
  if (!report.policy_error.empty()) fmt::format_to(to, "the policy file is broken:\n{}\n", report.policy_error);
  append_devices(out, "clients", report.plane.clients);
  append_devices(out, "gateways", report.plane.gateways);
  fmt::format_to(to, "relays: {}\n", report.plane.relays.size());
  for (const auto& relay : report.plane.relays) {
    fmt::format_to(to, "  {} {}{}\n", relay.name.empty() ? relay.id : relay.name, fmt::join(relay.addresses, " "),
                   relay.departing ? " (departing)" : "");
  }
  fmt::format_to(to, "grants: {}, flows under way: {}\n", report.plane.grants, report.plane.pending_flows);
  return out;
}

std::string metrics_text(const Report& report) {
  std::string out;
  const auto gauge = [&out](std::string_view name, std::string_view help, std::uint64_t value) {
    append_metric_head(out, name, "gauge", help);
    fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
  };
  gauge("fireline_uptime", "Seconds since the process started.", report.uptime_seconds);
  append_metric_head(out, "fireline_portal_online", "gauge", "Who is online.");
  fmt::format_to(std::back_inserter(out),
                 "fireline_portal_online{{kind=\"client\"}} {}\nfireline_portal_online{{kind=\"gateway\"}} {}\n"
                 "fireline_portal_online{{kind=\"relay\"}} {}\n",
                 report.plane.clients.size(), report.plane.gateways.size(), report.plane.relays.size());
  gauge("fireline_portal_connections", "Connections, with those that have not joined.", report.plane.connections);
  gauge("fireline_portal_grants", "Grants that gateways hold.", report.plane.grants);
  append_metric_head(out, "fireline_events", "counter", "Named events, drops among them.");
  for (const auto& [name, value] : report.counters) {
    fmt::format_to(std::back_inserter(out), "fireline_events{{name=\"{}\"}} {}\n", name, value);
  }
  return out;
}

}  // namespace fireline::portal_tool
