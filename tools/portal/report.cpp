#include "tools/portal/report.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/common/prometheus.h"
#include "tools/common/terminal_text.h"
#include "tools/common/text_table.h"

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

std::string duration_text(std::uint64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172'800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / 86'400);
}

void append_devices(std::string& out, std::string_view title, const char* owner,
                    const std::vector<portal::OnlineDevice>& devices) {
  fmt::format_to(std::back_inserter(out), "\n{}: {}\n", title, devices.size());
  if (devices.empty()) return;
  std::vector<TableRow> rows{{"NAME", owner, "ADDRESS", "FROM", "ONLINE", "GRANTS", "PROGRAM"}};
  for (const auto& device : devices) {
    rows.push_back({device.name.empty() ? device.id : shown(device.name), shown(device.owner), device.ipv4,
                    device.source, duration_text(device.online_seconds), std::to_string(device.grants), device.agent});
  }
  append_table(out, rows);
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
  fmt::format_to(to, "fireline-portal {}, up {}, listens on {}{}\n", FIRELINE_VERSION,
                 duration_text(report.uptime_seconds), fmt::join(report.listens, " "), report.tls ? " with TLS" : "");
  fmt::format_to(to, "policy {}: account {}, {} resources, {} sites, {} actors, {} policies\n", report.policy_file,
                 report.plane.account, report.plane.resources, report.plane.sites, report.plane.actors,
                 report.plane.policies);
  if (!report.policy_error.empty()) {
    fmt::format_to(to, "this policy stays in force, for the file has mistakes:\n{}\n", report.policy_error);
  }
  append_devices(out, "clients", "ACTOR", report.plane.clients);
  append_devices(out, "gateways", "SITE", report.plane.gateways);
  fmt::format_to(to, "\nrelays: {}\n", report.plane.relays.size());
  if (report.plane.relays.empty()) out += "  without one no client reaches a gateway: start fireline-relay\n";
  for (const auto& relay : report.plane.relays) {
    fmt::format_to(to, "  {}  {}{}\n", relay.name.empty() ? relay.id : shown(relay.name),
                   fmt::join(relay.addresses, " "), relay.departing ? "  (left a moment ago)" : "");
  }
  fmt::format_to(to, "\ngrants: {}, flows under way: {}\n", report.plane.grants, report.plane.pending_flows);
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
