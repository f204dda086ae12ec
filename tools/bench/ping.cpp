#include "tools/bench/ping.h"

#include <fmt/format.h>

#include <numeric>

#include "tools/bench/statistics.h"

namespace fireline::bench {

PingResult run_ping(const std::string& network_namespace, const std::string& address, int count) {
  const auto at_most = std::chrono::seconds(15) + std::chrono::milliseconds(10) * count;
  Child child({{"ping", "-n", "-i", "0.01", "-W", "2", "-c", std::to_string(count), address},
               network_namespace,
               {{"LC_ALL", "C"}},
               {}});
  child.wait(at_most);
  PingReplies replies = read_ping(child.output());
  if (replies.times.empty()) throw BenchError(fmt::format("no reply to ping from {}", address));
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
    Child child({{"ping", "-n", "-W", "1", "-c", "1", address}, network_namespace, {{"LC_ALL", "C"}}, {}});
    child.wait(std::chrono::seconds(5));
    if (!read_ping(child.output()).times.empty()) return true;
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

}  // namespace fireline::bench
