#include "tools/relay/report.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/common/prometheus.h"

namespace fireline::relay {
namespace {

void single(std::string& out, std::string_view name, std::string_view kind, std::string_view help,
            std::uint64_t value) {
  append_metric_head(out, name, kind, help);
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

std::uint64_t gauge(const RelayReport& report, std::string_view name) noexcept {
  for (const auto& entry : report.gauges) {
    if (entry.name == name) return entry.value;
  }
  return 0;
}

}  // namespace

std::string metrics_text(const RelayReport& report) {
  std::string out;
  const auto append = std::back_inserter(out);
  append_metric_head(out, "fireline_info", "gauge", "Always 1; its labels name version and credentials.");
  fmt::format_to(append, "fireline_info{{program=\"fireline-relay\",version=\"{}\",auth=\"{}\"}} 1\n", report.version,
                 report.auth);
  single(out, "fireline_uptime", "gauge", "Seconds since the process started.", report.uptime_seconds);
  single(out, "relay_active_allocations", "gauge", "Allocations at this moment.", gauge(report, "allocations"));
  append_metric_head(out, "responses_total", "counter", "Answers to requests.");
  for (const auto& response : report.responses) {
    if (response.code == 0) {
      fmt::format_to(append, "responses_total{{response_class=\"success\",message_type=\"{}\"}} {}\n", response.method,
                     response.value);
    } else {
      fmt::format_to(append, "responses_total{{response_class=\"error\",message_type=\"{}\",error_code=\"{}\"}} {}\n",
                     response.method, response.code, response.value);
    }
  }
  single(out, "data_relayed_userspace_bytes", "counter", "Payload relayed in user space, both directions.",
         report.userspace_bytes);
  single(out, "data_relayed_ebpf_bytes", "counter", "Payload relayed by XDP, both directions.", report.fast_path_bytes);
  if (report.portal) {
    single(out, "fireline_portal_joined", "gauge", "1 while the portal hands out this relay.", report.portal->joined);
  }
  append_metric_head(out, "fireline_relay_size", "gauge", "Sizes of tables and queues, by name.");
  for (const auto& entry : report.gauges) {
    fmt::format_to(append, "fireline_relay_size{{name=\"{}\"}} {}\n", entry.name, entry.value);
  }
  append_metric_head(out, "fireline_events", "counter", "Named events, drops among them.");
  for (const auto& entry : report.counters) {
    fmt::format_to(append, "fireline_events{{name=\"{}\"}} {}\n", entry.name, entry.value);
  }
  return out;
}

std::string status_text(const RelayReport& report) {
  nlohmann::ordered_json status{{"program", "fireline-relay"},
                                {"version", report.version},
                                {"uptime_seconds", report.uptime_seconds},
                                {"auth", report.auth},
                                {"public_addresses", report.public_addresses},
                                {"listen_port", report.listen_port},
                                {"gso", report.gso},
                                {"fast_path", report.fast_path},
                                {"userspace_bytes", report.userspace_bytes},
                                {"fast_path_bytes", report.fast_path_bytes}};
  if (report.portal) {
    status["portal"] = {{"url", report.portal->url},
                        {"state", report.portal->state},
                        {"joined", report.portal->joined},
                        {"seconds", report.portal->seconds},
                        {"last_error", report.portal->last_error}};
  }
  auto& gauges = status["gauges"] = nlohmann::ordered_json::object();
  for (const auto& entry : report.gauges) gauges[entry.name] = entry.value;
  auto& counters = status["counters"] = nlohmann::ordered_json::object();
  for (const auto& entry : report.counters) counters[entry.name] = entry.value;
  auto& responses = status["responses"] = nlohmann::ordered_json::array();
  for (const auto& response : report.responses) {
    responses.push_back({{"method", response.method}, {"code", response.code}, {"count", response.value}});
  }
  // The last error may quote what a server sent.
  return status.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace fireline::relay
