// What gateway and client tell about themselves alike on the status socket: "status" as JSON, "status text" for a
// person, "metrics" as Prometheus text. Without secrets. Threads: the control thread's.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "core/node/node_event.h"
#include "tools/common/portal_session.h"
#include "tools/tunnel/counters.h"
#include "tools/tunnel/tunnel.h"

namespace fireline::tunnel {

struct StatusParts {
  std::string_view program;  // "gateway", as metrics name it
  const node::Node& node;
  DataPath& path;
  const Devices& devices;
  const PortalSession& portal;
  std::function<void(nlohmann::ordered_json&)> add_status;  // what the program's own status is
  std::function<void(CounterMap&)> add_counters;            // those of its engine
};
[[nodiscard]] std::string answer_status(std::string_view line, const StatusParts& parts);

// With everything that a tunnel knows of itself.
template <class Core>
[[nodiscard]] std::string answer_status(std::string_view line, std::string_view program, Tunnel<Core>& tunnel,
                                        const PortalSession& portal,
                                        const std::function<void(nlohmann::ordered_json&)>& add_status) {
  const auto add_counters = [&](CounterMap& counters) { add_counter_set(tunnel.core().counters(), counters); };
  return answer_status(line, {.program = program,
                              .node = tunnel.core().node(),
                              .path = tunnel.path(),
                              .devices = tunnel.devices(),
                              .portal = portal,
                              .add_status = add_status,
                              .add_counters = add_counters});
}

[[nodiscard]] nlohmann::ordered_json path_json(const node::PathState& path);

}  // namespace fireline::tunnel
