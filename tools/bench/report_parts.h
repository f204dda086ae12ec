// What the reports of all benchmarks have in common: the machine, a table's lines, verdicts, and their JSON. Pure but
// for describe_machine, report_head's date, print_heading, progress and write_file.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "tools/bench/acceptance.h"
#include "tools/bench/statistics.h"

namespace fireline::bench {

struct Machine {
  unsigned cores = 0;
  std::string cpu;
  std::string kernel;
  double load = 0;  // one-minute load average when the run began
};
[[nodiscard]] Machine describe_machine();

// The first lines on standard output: the command as typed, and the machine.
void print_heading(std::string_view command, const Machine& machine);

// A line on standard error, at once.
void progress(std::string_view text);

// "median (low-high) 0.60x"; "-" without a summary, no factor without a ratio.
[[nodiscard]] std::string cell(const std::optional<Summary>& summary, int digits, std::optional<double> ratio);

// The title and each column's text, all padded to `width`; ends in a line feed.
[[nodiscard]] std::string heading_line(std::span<const std::string> labels, std::size_t width);
// The same without the blanks at its end.
[[nodiscard]] std::string table_line(std::string_view title, std::span<const std::string> cells, std::size_t width);

// "PASS", "FAIL", or "----" for what could not be judged.
[[nodiscard]] std::string_view verdict_word(Verdict verdict) noexcept;
// Verdict, rule padded to `rule_width`, figure; without a line feed.
[[nodiscard]] std::string judgement_line(const Judgement& judgement, std::size_t rule_width);
// One line each.
[[nodiscard]] std::string judgement_lines(std::span<const Judgement> judgements, std::size_t rule_width);

// How every report begins: benchmark, command as typed, version, commit, date (UTC), machine.
[[nodiscard]] nlohmann::ordered_json report_head(std::string_view benchmark, const std::string& command,
                                                 const Machine& machine);
[[nodiscard]] nlohmann::ordered_json machine_json(const Machine& machine);
// Median, low, high and every round; null without values.
[[nodiscard]] nlohmann::ordered_json summary_json(const std::vector<double>& values);
[[nodiscard]] nlohmann::ordered_json judgement_json(const Judgement& judgement);

// The error is one sentence.
[[nodiscard]] Result<void, std::string> write_file(const std::string& path, std::string_view text);

}  // namespace fireline::bench
