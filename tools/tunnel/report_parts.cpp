#include "tools/tunnel/report_parts.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/common/prometheus.h"
#include "tools/tunnel/ignored_messages.h"
#include "tools/tunnel/status_text.h"

namespace fireline::tunnel {
namespace {

CounterMap counters_of(const StatusParts& parts) {
  CounterMap counters;
  parts.add_counters(counters);
  add_counters(parts.node, counters);
  add_counters(parts.path, parts.devices, counters);
  add_counter_set(parts.portal.counters(), counters);
  counters["portal.drop.message"] = ignored_messages();
  return counters;
}

// One family with the counter's name as label; names are the program's own, so that their number is bounded.
std::string metrics_text(std::string_view program, const CounterMap& counters) {
  std::string out;
  append_metric_head(out, "fireline_events", "counter", "What happened, by the name that the status has");
  for (const auto& [name, value] : counters) {
    fmt::format_to(std::back_inserter(out), "fireline_events{{program=\"{}\",name=\"{}\"}} {}\n", program, name, value);
  }
  return out;
}

}  // namespace

std::string answer_status(std::string_view line, const StatusParts& parts) {
  if (line == "metrics") return metrics_text(parts.program, counters_of(parts));
  if (line != "status" && line != "status text") return "ask for status, status text or metrics\n";
  const auto portal = parts.portal.status();
  nlohmann::ordered_json document{{"version", FIRELINE_VERSION},
                                  {"interface", parts.devices.tun->name()},
                                  {"udp_io", parts.path.plane().udp_backend()},
                                  {"portal", portal.state}};
  if (!portal.joined && !portal.last_error.empty()) document["portal_error"] = portal.last_error;
  parts.add_status(document);
  if (line == "status text") return status_text(document);
  document["counters"] = counters_of(parts);
  // Names of interfaces may be any bytes.
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

nlohmann::ordered_json path_json(const node::PathState& path) {
  return {{"kind", node::name_of(path.kind)},
          {"source", path.source.to_string()},
          {"destination", path.destination.to_string()},
          {"relay", path.relay}};
}

}  // namespace fireline::tunnel
