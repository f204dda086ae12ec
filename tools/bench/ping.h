// Round-trip times by fping: every reply is read, not only the summary. One thread.
#pragma once
#include <string>
#include <vector>

#include "tools/bench/ping_output.h"
#include "tools/bench/process.h"

namespace fireline::bench {

struct PingResult {
  double average = 0;  // milliseconds, as all that follow
  double p50 = 0;
  double p99 = 0;
  std::vector<double> times;  // of each reply
  std::size_t duplicates = 0;
};

// `count` requests, one each 10 ms. Throws BenchError without any reply.
[[nodiscard]] PingResult run_ping(const std::string& network_namespace, const std::string& address, int count);

// True when a reply came within `at_most`.
[[nodiscard]] bool answers_ping(const std::string& network_namespace, const std::string& address,
                                std::chrono::milliseconds at_most);

}  // namespace fireline::bench
