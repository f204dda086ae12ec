// `fireline-bench peers`: what the peers of a plain WireGuard device cost it: configuring them in one update, memory of
// each with and without a session, and CPU time of a packet when many take turns, against one peer alone. In one
// process without sockets (peer_world.h): the kernel's share is not in it. One thread.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "tools/bench/report_files.h"

namespace fireline::bench {

inline constexpr std::size_t kBenchPeersMax = 100'000;

struct PeersBenchOptions {
  std::string command;                        // as typed, for the report
  std::vector<std::size_t> peers{1, 10'000};  // that take turns; the first is the yardstick
  int rounds = 7;                             // that count; one more runs first and is dropped
  ReportFiles files;
  bool check = false;
};

// Prints the tables on standard output. The exit code: 0; 1 after a sentence; 2 when a threshold is missed and `check`
// is set. Throws BenchError.
int run_peers_bench(const PeersBenchOptions& options);

}  // namespace fireline::bench
