// `fireline-bench relay`: TURN relays side by side in a lab of namespaces. Candidates alternate round by round, and so
// do numbers of allocations; the first round warms up and is dropped. Progress on standard error, the tables on
// standard output. Needs root.
#pragma once
#include <string>
#include <vector>

#include "tools/bench/relay_results.h"
#include "tools/bench/report_files.h"
#include "tools/bench/report_parts.h"

namespace fireline::bench {

// A relay's default number of ports. Each takes a descriptor of the generator, one of the relay.
inline constexpr std::size_t kAllocationsMax = 16384;

struct RelayBenchOptions {
  std::vector<RelayCandidate> candidates;
  std::vector<std::size_t> allocations{1};
  std::vector<std::size_t> payloads{1280};
  std::vector<Underlay> underlays{Underlay::plain};
  int rounds = 9;  // that count
  bool singles = true;
  bool trains = true;
  bool cores = true;
  bool latency = true;
  bool fairness = true;
  bool setup = true;
  bool check = false;  // judge the thresholds
  ReportFiles files;
  std::string command;  // as typed, for the report
};

// The exit code: 0; 1 after a sentence on standard error; 2 when --check found a threshold missed.
int run_relay_bench(const RelayBenchOptions& options);

// One candidate, one round: fills `series`. Throws BenchError when it cannot even start; a measurement that fails is a
// failure of the series.
void measure_relay(const RelayBenchOptions& options, const RelayLab& lab, std::size_t payload_bytes,
                   std::size_t allocations, RelaySeries& series);

// One block: a row per measure, a column per candidate: median (low-high), and the ratio to coturn or why not.
[[nodiscard]] std::string table(const RelayBlock& block);
// A line per threshold: "PASS", "FAIL" or "----" for what could not be judged.
[[nodiscard]] std::string acceptance_lines(const RelayBlock& block, const RelaySeries& series);
[[nodiscard]] std::string acceptance_line(const Judgement& judgement);
[[nodiscard]] nlohmann::ordered_json relay_report(const RelayBenchOptions& options, const Machine& machine,
                                                  const std::vector<RelayBlock>& blocks);

}  // namespace fireline::bench
