#include "tools/tunnel/report_parts.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/common/prometheus.h"

namespace fireline::tunnel {

nlohmann::ordered_json path_json(const node::PathState& path) {
  return {{"kind", node::name_of(path.kind)},
          {"source", path.source.to_string()},
          {"destination", path.destination.to_string()},
          {"relay", path.relay}};
}

std::string metrics_text(std::string_view program, const CounterMap& counters) {
  std::string out;
  append_metric_head(out, "fireline_events", "counter", "What happened, by the name that the status has");
  for (const auto& [name, value] : counters) {
    fmt::format_to(std::back_inserter(out), "fireline_events{{program=\"{}\",name=\"{}\"}} {}\n", program, name, value);
  }
  return out;
}

}  // namespace fireline::tunnel
