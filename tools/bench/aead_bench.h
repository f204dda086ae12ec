// `fireline-bench aead`: what sealing and opening one packet costs with each AEAD backend, and what a mac1 and an
// X25519 multiplication cost. Figures of docs/performance.md come from here. One thread, no network, about two seconds.
#pragma once
#include <string>

#include "tools/bench/report_files.h"

namespace fireline::bench {

struct AeadBenchOptions {
  std::string command;  // as typed, for the report
  int rounds = 7;       // that count; one more runs first and is dropped
  ReportFiles files;
};

// Prints the table on standard output, progress on standard error when that is a terminal.
// The exit code: 0, or 1 after a sentence on standard error.
int run_aead_bench(const AeadBenchOptions& options);

}  // namespace fireline::bench
