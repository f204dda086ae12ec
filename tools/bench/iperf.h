// TCP throughput by iperf3: server as a child, client run to its end, JSON read. One thread.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "tools/bench/process.h"

namespace fireline::bench {

struct TcpResult {
  double bits_per_second = 0;  // as the receiver counts
  double bytes = 0;            // received
  std::int64_t retransmits = 0;
};

// Reads what `iperf3 -J` printed; lines before the first line that is a lone brace are warnings. The error is a
// sentence for the person (iperf3's own where it gives one).
[[nodiscard]] Result<TcpResult, std::string> read_iperf(std::string_view text);

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
