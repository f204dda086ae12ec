#include "tools/wg/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/common/prometheus.h"

namespace fireline::wg {
namespace {

using enum MetricKind;

constexpr std::array kFamilies{
    MetricFamily{"fireline.info", gauge, "Always 1; its labels name version, threads, UDP backend and cipher."},
    MetricFamily{"fireline.uptime", gauge, "Seconds since the process started."},
    MetricFamily{"fireline.interface.up", gauge, "1 while the interface is up."},
    MetricFamily{"fireline.peers", gauge, "Configured peers."},
    MetricFamily{"fireline.peers.active", gauge, "Peers with a handshake in the last 180 seconds."},
    MetricFamily{"fireline.peer.bytes", gauge, "Bytes of authenticated messages of all present peers."},
    MetricFamily{"fireline.offload", gauge, "1 for the state that a kernel feature is in."},
    MetricFamily{"fireline.packets.in", counter, "Packets that came in, by place of entry."},
    MetricFamily{"fireline.packets.out", counter, "Packets that left, by place of exit."},
    MetricFamily{"fireline.packets.held", gauge, "Packets in queues and behind handshakes."},
    MetricFamily{"fireline.kernel.dropped", counter,
                 "Packets that the kernel dropped before fireline read them or after it wrote them, by place."},
    MetricFamily{"fireline.events", counter, "Named events."},
    MetricFamily{"network.packet.dropped", counter, "Packets dropped, by reason."},
    MetricFamily{"system.buffer.count", gauge, "Buffers in use, by pool."},
    MetricFamily{"system.queue.length", gauge, "Elements waiting in a queue."},
    MetricFamily{"system.network.packets", counter, "Packets by device and direction."},
    MetricFamily{"system.network.packets.calls", counter, "System calls that moved packets."},
    MetricFamily{"system.network.errors", counter, "Socket and device errors, by kind."},
};

constexpr auto kActiveFor = std::chrono::seconds(180);  // the life of a session's keys

std::string underscored(std::string_view dotted) {
  std::string name(dotted);
  std::ranges::replace_if(
      name, [](char c) { return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')); }, '_');
  return name;
}

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void append_value(std::string& out, double value) {
  // Counts stay digits: 1e+06 is legal, but nobody wants to read it.
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  if (std::abs(value) < kExactMax && std::trunc(value) == value) {
    fmt::format_to(std::back_inserter(out), "{}", static_cast<std::int64_t>(value));
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

void append_sample(std::string& out, const Sample& sample) {
  out += underscored(sample.name);
  if (!sample.labels.empty()) {
    char separator = '{';
    for (const auto& [name, value] : sample.labels) {
      fmt::format_to(std::back_inserter(out), "{}{}=\"{}\"", separator, underscored(name), escaped(value));
      separator = ',';
    }
    out += '}';
  }
  out += ' ';
  append_value(out, sample.value);
  out += '\n';
}

using Labels = std::vector<std::pair<std::string, std::string>>;

void add(std::vector<Sample>& samples, std::string_view name, Labels labels, std::uint64_t value) {
  samples.push_back({std::string(name), std::move(labels), static_cast<double>(value)});
}

void add_counts(std::vector<Sample>& samples, std::string_view name, const char* label,
                const std::vector<NamedCount>& counts) {
  for (const auto& entry : counts) add(samples, name, {{label, entry.name}}, entry.count);
}

void add_peers(std::vector<Sample>& samples, const StatusReport& report) {
  std::uint64_t active = 0;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  for (const auto& peer : report.peers) {
    if (peer.last_handshake && report.now - *peer.last_handshake < kActiveFor) ++active;
    received += peer.received_bytes;
    sent += peer.sent_bytes;
  }
  add(samples, "fireline.peers", {}, report.peers.size());
  add(samples, "fireline.peers.active", {}, active);
  add(samples, "fireline.peer.bytes", {{"network.io.direction", "receive"}}, received);
  add(samples, "fireline.peer.bytes", {{"network.io.direction", "transmit"}}, sent);
}

}  // namespace

std::span<const MetricFamily> metric_families() noexcept {
  return kFamilies;
}

const MetricFamily* find_metric(std::string_view dotted_name) noexcept {
  const auto found = std::ranges::find(kFamilies, dotted_name, &MetricFamily::name);
  return found == kFamilies.end() ? nullptr : &*found;
}

std::vector<Sample> samples_of(const StatusReport& report) {
  std::vector<Sample> samples;
  add(samples, "fireline.info",
      {{"version", report.version},
       {"thread_mode", report.thread_mode},
       {"udp_io", report.udp_io},
       {"aead", report.aead}},
      1);
  add(samples, "fireline.uptime", {}, report.uptime_seconds);
  add(samples, "fireline.interface.up", {}, report.up ? 1 : 0);
  add_peers(samples, report);
  for (const auto& offload : report.offloads) {
    add(samples, "fireline.offload", {{"name", offload.name}, {"state", name_of(offload.state)}}, 1);
  }
  add_counts(samples, "fireline.packets.in", "device", report.ledger.packets_in);
  add_counts(samples, "fireline.packets.out", "device", report.ledger.packets_out);
  add(samples, "fireline.packets.held", {}, sum_of(report.ledger.held));
  add_counts(samples, "fireline.kernel.dropped", "error.type", report.ledger.kernel_drops);
  add_counts(samples, "fireline.events", "name", report.counters);
  add_counts(samples, "network.packet.dropped", "error.type", report.ledger.drops);
  for (const auto& pool : report.pools) {
    add(samples, "system.buffer.count",
        {{"system.buffer.pool.name", pool.name}, {"system.buffer.pool.buffer_size", fmt::to_string(pool.buffer_bytes)}},
        pool.in_use);
  }
  for (const auto& queue : report.queues) {
    Labels labels{{"queue.item", queue.name}};
    labels.insert(labels.end(), queue.labels.begin(), queue.labels.end());
    add(samples, "system.queue.length", std::move(labels), queue.length);
  }
  samples.insert(samples.end(), report.samples.begin(), report.samples.end());
  return samples;
}

std::string prometheus_text(const std::vector<Sample>& samples) {
  std::string out;
  std::size_t written = 0;
  for (const MetricFamily& family : kFamilies) {
    bool first = true;
    for (const Sample& sample : samples) {
      if (sample.name != family.name || written == kMetricSamplesMax) continue;
      if (std::exchange(first, false)) {
        append_metric_head(out, underscored(family.name), family.kind == counter ? "counter" : "gauge", family.help);
      }
      append_sample(out, sample);
      ++written;
    }
  }
  return out;
}

}  // namespace fireline::wg
