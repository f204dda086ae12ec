// `fireline-bench xdp`: what one frame costs in the relay's XDP program, beside an empty program and a plain hop that
// swaps the MAC addresses: each pair of directions by bounce, each direction with live frames over a veth, each reason
// to pass or drop by test run. On one CPU, in a network namespace of its own. Needs root; about a minute.
#pragma once
#include <string>
#include <vector>

#include "tools/bench/report_files.h"

namespace fireline::bench {

struct XdpBenchOptions {
  int rounds = 7;  // that count; one more runs first and is dropped
  std::vector<int> channels{1, 10'000};
  bool live = true;
  bool check = false;  // exit code 2 when a threshold is missed
  ReportFiles files;
  std::string command;  // as typed, for the report
};

// Prints the tables and a line per threshold. The exit code: 0, or 2 for a missed threshold. Throws BenchError.
int run_xdp_bench(const XdpBenchOptions& options);

}  // namespace fireline::bench
