// `fireline-bench node`: what the connections of a gateway cost it. Idle ones: CPU time and memory of the node's own
// calls, on a virtual clock. Busy ones: CPU time of a packet when many connections take turns, against one connection
// alone: with its system calls (node_wire.h; needs root), and without. One process, one thread.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "tools/bench/report_files.h"

namespace fireline::bench {

inline constexpr std::size_t kNodeClientsMax = 15'000;  // a relay has 16,384 ports

struct NodeBenchOptions {
  std::string command;                             // as typed, for the heading
  std::size_t idle = 1000;                         // connections that do nothing; 0: not measured
  std::vector<std::size_t> busy{1, 1000, 10'000};  // connections that take turns; the first is the yardstick
  int rounds = 7;                                  // that count; one more runs first and is dropped
  int seconds = 200;                               // of virtual time over which idle ones are metered
  ReportFiles files;
  bool check = false;
};

// Prints the tables on standard output. The exit code: 0; 2 when a threshold is missed and `check` is set.
// Throws BenchError.
int run_node_bench(const NodeBenchOptions& options);

}  // namespace fireline::bench
