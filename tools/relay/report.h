// What /metrics and /status of the control endpoint say: numbers by name, no secret and no username. Made when somebody
// asks. Names of series are those of a Firezone relay where it has one; everything else is a counter of ours by its
// name. Cardinality is bounded: labels are names from the program's own lists.
// Values; any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fireline::relay {

struct NamedNumber {
  std::string name;
  std::uint64_t value = 0;
};

struct ResponseNumber {
  std::string method;      // "allocate"
  std::uint16_t code = 0;  // 0: success
  std::uint64_t value = 0;
};

struct PortalReport {
  std::string url;    // without token
  std::string state;  // "joined", "waiting", …
  bool joined = false;
  std::uint64_t seconds = 0;  // for which it is joined, or is not
  std::string last_error;     // empty: none so far
};

struct RelayReport {
  std::string version;
  std::string auth;
  std::uint64_t uptime_seconds = 0;
  std::vector<std::string> public_addresses;
  std::uint16_t listen_port = 0;
  bool gso = true;
  std::string fast_path;  // "off", "xdp driver eth0"
  std::uint64_t userspace_bytes = 0;
  std::uint64_t fast_path_bytes = 0;
  std::optional<PortalReport> portal{};
  std::vector<NamedNumber> gauges;    // "allocations", "channels.bound", "sockets", …
  std::vector<NamedNumber> counters;  // "udp.receive.datagrams", "drop.client.short", …
  std::vector<ResponseNumber> responses;
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";
[[nodiscard]] std::string metrics_text(const RelayReport& report);
[[nodiscard]] std::string status_text(const RelayReport& report);  // JSON

}  // namespace fireline::relay
