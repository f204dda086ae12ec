// From a report, the JSON that --json writes, to its page: for tunnel, udp, aead, node and peers. Pure.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/result.h"
#include "tools/bench/page.h"

namespace fireline::bench {

// The error is one sentence: it is no report, or one of a benchmark that has no page.
[[nodiscard]] Result<Page, std::string> report_page(const nlohmann::ordered_json& report);

}  // namespace fireline::bench
