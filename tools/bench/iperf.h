// TCP throughput by iperf3: server as a child, client run to its end, its JSON read. One thread.
#pragma once
#include <chrono>
#include <string>

#include "tools/bench/iperf_output.h"
#include "tools/bench/process.h"

namespace fireline::bench {

struct TcpRun {
  std::string address;  // of the server
  int streams = 1;
  bool reverse = false;
  std::chrono::milliseconds time{3000};
};

class IperfServer {
 public:
  // Listens when this returns. Throws BenchError.
  explicit IperfServer(const std::string& network_namespace);

 private:
  Child child_;
};

[[nodiscard]] Command iperf_client(const std::string& network_namespace, const TcpRun& run);
// Throws BenchError.
[[nodiscard]] TcpResult run_iperf(const std::string& network_namespace, const TcpRun& run);

}  // namespace fireline::bench
