#include "tools/bench/iperf.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace fireline::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kSlack{10};  // connecting, and iperf3's exchange of results
constexpr int kAttempts = 10;
constexpr milliseconds kRetry{300};

// Column 2 of /proc/net/tcp6 ends with the port in hex, column 4 is the state; 0A is LISTEN. 5201 is iperf3's port.
bool listens(pid_t process) {
  for (const char* table : {"tcp", "tcp6"}) {
    std::ifstream lines(fmt::format("/proc/{}/net/{}", process, table));
    std::string number;
    std::string local;
    std::string remote;
    std::string state;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream(line) >> number >> local >> remote >> state;
      if (state == "0A" && local.ends_with(":1451")) return true;
    }
  }
  return false;
}

}  // namespace

IperfServer::IperfServer(const std::string& network_namespace)
    : child_({{"iperf3", "-s", "-p", "5201"}, network_namespace, {}, {}}) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    if (child_.ended()) child_.wait(milliseconds(0));
    if (child_.ended()) throw BenchError("iperf3 -s ended at once: " + child_.error_output() + child_.output());
    if (listens(child_.pid())) return;
    pause_for(milliseconds(20));
  }
  throw BenchError("iperf3 -s does not listen");
}

Command iperf_client(const std::string& network_namespace, const TcpRun& run) {
  // Fractions of a second are iperf3's to take (-t is a whole number up to 3.12), so it is rounded up.
  const auto seconds = (run.time.count() + 999) / 1000;
  Command command{{"iperf3", "-c", run.address, "-p", "5201", "-J", "-t", std::to_string(seconds), "-P",
                   std::to_string(run.streams), "--connect-timeout", "3000"},
                  network_namespace,
                  {},
                  {}};
  if (run.reverse) command.words.push_back("-R");
  return command;
}

TcpResult run_iperf(const std::string& network_namespace, const TcpRun& run) {
  for (int attempt = 1;; ++attempt) {
    Child client(iperf_client(network_namespace, run));
    client.wait(run.time + kSlack);
    auto result = read_iperf(client.output());
    if (result) return *result;
    // The server takes one test at a time, and a moment to end the last one.
    const bool busy = result.error().find("server is busy") != std::string::npos;
    if (!busy || attempt == kAttempts) throw BenchError(result.error());
    pause_for(kRetry);
  }
}

}  // namespace fireline::bench
