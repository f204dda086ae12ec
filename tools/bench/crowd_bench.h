// `fireline-bench crowd`: what a packet costs a whole fireline-wg when many peers take turns, against one peer alone:
// CPU time of the process, its system calls and the kernel's work in them included (crowd_world.h). Needs root. One
// thread.
#pragma once
#include <cstddef>
#include <string>

#include "tools/bench/report_files.h"

namespace fireline::bench {

inline constexpr std::size_t kCrowdPeersMax = 15'000;  // their handshakes take a third of a session's life

struct CrowdBenchOptions {
  std::string command;         // as typed, for the report
  std::string program;         // fireline-wg
  std::size_t peers = 10'000;  // that take turns
  int rounds = 5;              // that count; one more runs first and is dropped
  ReportFiles files;
  bool check = false;
};

// Prints the table on standard output. The exit code: 0; 1 after a sentence; 2 when a threshold is missed and `check`
// is set. Throws BenchError.
int run_crowd_bench(const CrowdBenchOptions& options);

}  // namespace fireline::bench
