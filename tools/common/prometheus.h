// Prometheus' text format, version 0.0.4: the lines above a metric's samples. Pure.
#pragma once
#include <string>
#include <string_view>

namespace fireline {

// `name` is of letters, digits and underscores; `kind` is "counter" or "gauge"; `help` is one line without backslashes.
void append_metric_head(std::string& out, std::string_view name, std::string_view kind, std::string_view help);

}  // namespace fireline
