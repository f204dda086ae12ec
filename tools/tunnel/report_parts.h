// Parts of what gateway and client tell about themselves. Threads: any.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/node/node_event.h"
#include "tools/tunnel/counters.h"

namespace fireline::tunnel {

[[nodiscard]] nlohmann::ordered_json path_json(const node::PathState& path);
// One family with the counter's name as label; names are the program's own, so that their number is bounded.
[[nodiscard]] std::string metrics_text(std::string_view program, const CounterMap& counters);

}  // namespace fireline::tunnel
