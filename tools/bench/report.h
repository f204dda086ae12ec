// The figures as a table for people and as JSON for programs. Pure but for the machine's description.
#pragma once
#include <string>
#include <vector>

#include "tools/bench/results.h"
#include "tools/bench/tunnel_bench.h"

namespace fireline::bench {

struct Machine {
  unsigned cores = 0;
  std::string cpu;
  std::string kernel;
  double load = 0;  // one-minute load average when the run began
};
[[nodiscard]] Machine describe_machine();

// One block: a row per measure, a column per candidate: median (low-high), and the ratio to the forwarder or why not.
[[nodiscard]] std::string table(const Block& block);

// A line per threshold: "PASS", "FAIL" or "----" for what could not be judged.
[[nodiscard]] std::string acceptance_lines(const Block& block, const Series& series);

[[nodiscard]] std::string json_report(const TunnelBenchOptions& options, const Machine& machine,
                                      const std::vector<Block>& blocks);

}  // namespace fireline::bench
