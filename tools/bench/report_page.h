// From a report, the JSON that --json writes, to its page. Pure.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/result.h"
#include "tools/bench/page.h"

namespace fireline::bench {

// The error is one sentence: it is no report, not a whole one, or one of a benchmark that is unknown here.
[[nodiscard]] Result<Page, std::string> report_page(const nlohmann::ordered_json& report);

}  // namespace fireline::bench
