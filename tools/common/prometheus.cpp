#include "tools/common/prometheus.h"

#include <fmt/format.h>

#include <iterator>

namespace fireline {

void append_metric_head(std::string& out, std::string_view name, std::string_view kind, std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, kind);
}

}  // namespace fireline
