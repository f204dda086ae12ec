// `fireline-bench udp`: what one datagram costs to send and to receive, by system call and by train, over a veth pair
// between two namespaces of its own. Figures of docs/performance.md come from here. One thread, a few seconds; needs
// root.
//
// The sender's cost holds the kernel's whole way through the veth pair into the receiver's socket: that runs within the
// sender's call. The receiver's cost is that of emptying the socket.
#pragma once
#include <cstddef>
#include <string>

#include "tools/bench/report_files.h"

namespace fireline::bench {

struct UdpBenchOptions {
  int rounds = 7;            // that count; one more runs first and is dropped
  std::size_t bytes = 1280;  // of UDP payload per datagram; 16 to 1472
  std::string command;       // as typed, for the report
  ReportFiles files;
};

// Prints a table for each underlay on standard output, progress on standard error when that is a terminal.
// The exit code: 0, or 1 after a sentence on standard error.
int run_udp_bench(const UdpBenchOptions& options);

}  // namespace fireline::bench
