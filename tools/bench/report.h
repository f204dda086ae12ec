// The figures as a table for people and as JSON for programs. Pure.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/bench/report_parts.h"
#include "tools/bench/results.h"
#include "tools/bench/tunnel_bench.h"

namespace fireline::bench {

// One block: a row per measure, a column per candidate: median (low-high), and the ratio to the forwarder or why not.
[[nodiscard]] std::string table(const Block& block);

// A line per threshold: "PASS", "FAIL" or "----" for what could not be judged.
[[nodiscard]] std::string acceptance_lines(const Block& block, const Series& series);

[[nodiscard]] nlohmann::ordered_json tunnel_report(const TunnelBenchOptions& options, const Machine& machine,
                                                   const std::vector<Block>& blocks);

}  // namespace fireline::bench
