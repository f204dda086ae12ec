// `fireline-bench tunnel`: candidates side by side in namespaces of their own, alternating round by round. The first
// round warms up and is dropped. Progress on standard error, the tables on standard output.
#pragma once
#include <string>
#include <vector>

#include "tools/bench/candidate.h"
#include "tools/bench/report_files.h"
#include "tools/bench/results.h"

namespace fireline::bench {

struct TunnelBenchOptions {
  std::vector<Candidate> candidates;
  std::vector<int> mtus{1420};
  std::vector<Underlay> underlays{Underlay::plain};
  int rounds = 5;   // that count
  int seconds = 3;  // of each TCP measurement
  bool tcp = true;
  bool udp = true;
  bool ping = true;
  bool check = false;  // judge the thresholds
  ReportFiles files;
  std::string command;  // as typed, for the report
};

// The exit code: 0; 1 after a sentence on standard error; 2 when --check found a threshold missed.
int run_tunnel_bench(const TunnelBenchOptions& options);

// One candidate, one round: fills `series`. Throws BenchError when it cannot even start; a measurement that fails is a
// failure of the series.
void measure_candidate(const TunnelBenchOptions& options, const NamespacePair& lab, int mtu, Series& series);

// The generators alone, into a TUN device that swallows everything.
void measure_generators(const NamespacePair& lab, int mtu, GeneratorSeries& generators);

}  // namespace fireline::bench
