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

// Labels are the program's own words, never a peer's or an address, so that their number is bounded (lesson 73).
std::string metrics_text(const StatusParts& parts) {
  const std::string_view program = parts.program;
  const CounterMap counters = counters_of(parts);
  std::string out;
  const auto to = std::back_inserter(out);
  append_metric_head(out, "fireline_info", "gauge", "Always 1; its labels name program and version.");
  fmt::format_to(to, "fireline_info{{program=\"fireline-{}\",version=\"{}\",udp_io=\"{}\"}} 1\n", program,
                 FIRELINE_VERSION, parts.path.plane().udp_backend());
  append_metric_head(out, "fireline_portal_joined", "gauge", "1 while it is logged in to the portal.");
  fmt::format_to(to, "fireline_portal_joined {}\n", parts.portal.status().joined ? 1 : 0);
  append_metric_head(out, "system_buffer_count", "gauge", "Buffers in use, by pool.");
  for (const auto* pool : parts.path.plane().pools()) {
    fmt::format_to(to,
                   "system_buffer_count{{system_buffer_pool_name=\"{}\",system_buffer_pool_buffer_size=\"{}\"}} {}\n",
                   pool->name(), pool->buffer_bytes(), pool->out());
  }
  append_metric_head(out, "system_queue_length", "gauge", "Elements waiting in a queue.");
  for (const auto& queue : parts.path.plane().queue_depths()) {
    fmt::format_to(to, "system_queue_length{{queue_item=\"{}\"}} {}\n", queue.item, queue.depth);
  }
  append_metric_head(out, "fireline_events", "counter", "What happened, by the name that the status has");
  for (const auto& [name, value] : counters) {
    fmt::format_to(to, "fireline_events{{program=\"{}\",name=\"{}\"}} {}\n", program, name, value);
  }
  return out;
}

}  // namespace

std::string answer_status(std::string_view line, const StatusParts& parts) {
  if (line == "metrics") return metrics_text(parts);
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
