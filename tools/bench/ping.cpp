#include "tools/bench/ping.h"

#include <fmt/format.h>

#include <numeric>

#include "tools/bench/statistics.h"

namespace fireline::bench {
namespace {

constexpr double kRepliesLeast = 0.97;

// fping sleeps between two requests. ping of iputils, asked for 10 ms, spins: half a core of what is measured.
PingReplies ping(const std::string& network_namespace, const std::string& address, int count,
                 std::chrono::milliseconds at_most) {
  Child child({{"fping", "-p", "10", "-t", "1000", "-c", std::to_string(count), address},
               network_namespace,
               {{"LC_ALL", "C"}},
               {}});
  child.wait(at_most);
  return read_ping(child.output() + child.error_output());
}

}  // namespace

PingResult run_ping(const std::string& network_namespace, const std::string& address, int count) {
  const auto at_most = std::chrono::seconds(15) + std::chrono::milliseconds(10) * count;
  PingReplies replies = ping(network_namespace, address, count, at_most);
  // An average over few replies says nothing about those that are missing.
  if (static_cast<double>(replies.times.size()) < kRepliesLeast * count) {
    throw BenchError(fmt::format("{} of {} pings to {} were answered", replies.times.size(), count, address));
  }
  PingResult result;
  result.duplicates = replies.duplicates;
  result.average =
      std::accumulate(replies.times.begin(), replies.times.end(), 0.0) / static_cast<double>(replies.times.size());
  result.p50 = percentile(replies.times, 50).value_or(0);
  result.p99 = percentile(replies.times, 99).value_or(0);
  result.times = std::move(replies.times);
  return result;
}

bool answers_ping(const std::string& network_namespace, const std::string& address, std::chrono::milliseconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  do {
    if (!ping(network_namespace, address, 1, std::chrono::seconds(5)).times.empty()) return true;
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

}  // namespace fireline::bench
