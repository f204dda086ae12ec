// Where a benchmark's report goes: as JSON for programs, as a page for people. Threads: one.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "core/base/result.h"
#include "tools/bench/acceptance.h"

namespace fireline::bench {

struct ReportFiles {
  std::string json;  // empty: none
  std::string html;  // empty: none
};

// The error is one sentence.
[[nodiscard]] Result<void, std::string> write_report(const ReportFiles& files, const nlohmann::ordered_json& report);

// How a benchmark ends that has one list of judgements: they are printed, join the report, and it is written. The exit
// code: 0, or 2 when `check` is set and one is missed. Throws BenchError.
[[nodiscard]] int conclude(nlohmann::ordered_json report, std::span<const Judgement> judgements,
                           const ReportFiles& files, bool check);

// `fireline-bench page`: the page of a report that --json wrote. The exit code: 0, or 1 after a sentence on standard
// error.
[[nodiscard]] int write_page(const std::string& report_path, const std::string& html_path);

}  // namespace fireline::bench
