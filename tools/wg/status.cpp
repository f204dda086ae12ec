#include "tools/wg/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

namespace fireline::wg {
namespace {

using Json = nlohmann::ordered_json;

Json counts_json(const std::vector<NamedCount>& counts) {
  Json json = Json::object();
  for (const auto& [name, count] : counts) json[name] = count;
  return json;
}

Json peer_json(const PeerReport& peer, UnixTime now) {
  Json json{
      {"public_key", peer.public_key},        {"endpoint", peer.endpoint.empty() ? Json() : Json(peer.endpoint)},
      {"allowed_ips", peer.allowed_ips},      {"last_handshake_unix_seconds", Json()},
      {"last_handshake_age_seconds", Json()}, {"received_bytes", peer.received_bytes},
      {"sent_bytes", peer.sent_bytes},        {"persistent_keepalive_seconds", peer.persistent_keepalive_seconds}};
  if (peer.last_handshake) {
    using std::chrono::floor, std::chrono::seconds;
    json["last_handshake_unix_seconds"] = floor<seconds>(peer.last_handshake->time_since_epoch()).count();
    json["last_handshake_age_seconds"] = std::max<std::int64_t>(0, floor<seconds>(now - *peer.last_handshake).count());
  }
  return json;
}

Json offloads_json(const StatusReport& report) {
  Json json = Json::object();
  for (const auto& offload : report.offloads) {
    json[offload.name] = {{"state", name_of(offload.state)}};
    if (offload.error != 0) {
      json[offload.name]["errno"] = offload.error;
      json[offload.name]["error"] = std::strerror(offload.error);
    }
    if (offload.refusing_paths != 0) json[offload.name]["refusing_paths"] = offload.refusing_paths;
  }
  return json;
}

Json queues_json(const StatusReport& report) {
  Json json = Json::array();
  for (const auto& queue : report.queues) {
    Json entry{{"name", queue.name}};
    for (const auto& [name, value] : queue.labels) entry[name] = value;
    entry["length"] = queue.length;
    entry["capacity"] = queue.capacity;
    json.push_back(std::move(entry));
  }
  return json;
}

Json pools_json(const StatusReport& report) {
  Json json = Json::array();
  for (const auto& pool : report.pools) {
    json.push_back({{"name", pool.name},
                    {"buffer_bytes", pool.buffer_bytes},
                    {"in_use", pool.in_use},
                    {"capacity", pool.capacity}});
  }
  return json;
}

Json ledger_json(const LedgerReport& ledger) {
  return {{"packets_in", counts_json(ledger.packets_in)},
          {"packets_out", counts_json(ledger.packets_out)},
          {"drops", counts_json(ledger.drops)},
          {"held", counts_json(ledger.held)},
          {"kernel_drops", counts_json(ledger.kernel_drops)}};
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.2f} {}", value, kUnits[unit]);
}

std::string human_duration(std::uint64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{} d {} h", seconds / 86'400, seconds % 86'400 / 3600);
}

void append_row(std::string& out, std::string_view label, std::string_view value) {
  fmt::format_to(std::back_inserter(out), "  {:<24} {}\n", label, value);
}

void append_counts(std::string& out, std::string_view heading, const std::vector<NamedCount>& counts) {
  if (std::ranges::all_of(counts, [](const NamedCount& c) { return c.count == 0; })) return;
  fmt::format_to(std::back_inserter(out), "  {}\n", heading);
  for (const auto& [name, count] : counts) {
    if (count != 0) fmt::format_to(std::back_inserter(out), "    {:<38} {:>14}\n", name, count);
  }
}

void append_device(std::string& out, const StatusReport& report) {
  fmt::format_to(std::back_inserter(out), "interface: {} ({})\n", report.interface_name, report.up ? "up" : "down");
  append_row(out, "version", report.version);
  append_row(out, "running for", human_duration(report.uptime_seconds));
  append_row(out, "public key", report.public_key.empty() ? "(none)" : report.public_key);
  append_row(out, "listening port", fmt::to_string(report.listen_port));
  if (report.fwmark != 0) append_row(out, "fwmark", fmt::format("{:#x}", report.fwmark));
  append_row(out, "mtu", fmt::to_string(report.mtu));
  append_row(out, "threads", report.thread_mode);
  if (report.cipher_threads != 0) append_row(out, "cipher threads", fmt::to_string(report.cipher_threads));
  append_row(out, "udp i/o", report.udp_io.empty() ? "(no socket)" : report.udp_io);
  append_row(out, "aead", report.aead);
}

void append_peer(std::string& out, const PeerReport& peer, UnixTime now) {
  fmt::format_to(std::back_inserter(out), "\npeer: {}\n", peer.public_key);
  if (!peer.endpoint.empty()) append_row(out, "endpoint", peer.endpoint);
  append_row(out, "allowed ips",
             peer.allowed_ips.empty() ? "(none)" : fmt::format("{}", fmt::join(peer.allowed_ips, ", ")));
  if (peer.last_handshake) {
    const auto age = std::chrono::floor<std::chrono::seconds>(now - *peer.last_handshake).count();
    append_row(out, "latest handshake",
               human_duration(static_cast<std::uint64_t>(std::max<std::int64_t>(age, 0))) + " ago");
  }
  append_row(out, "transfer",
             human_bytes(peer.received_bytes) + " received, " + human_bytes(peer.sent_bytes) + " sent");
  if (peer.persistent_keepalive_seconds != 0) {
    append_row(out, "persistent keepalive", fmt::format("every {} s", peer.persistent_keepalive_seconds));
  }
}

void append_offloads(std::string& out, const StatusReport& report) {
  if (report.offloads.empty()) return;
  out += "\noffloads\n";
  for (const auto& offload : report.offloads) {
    std::string row = name_of(offload.state);
    const auto paths = offload.refusing_paths;
    if (paths != 0) row += fmt::format(", but not on {} path{}", paths, paths == 1 ? "" : "s");
    if (offload.error != 0) row += fmt::format(" ({})", std::strerror(offload.error));
    append_row(out, offload.name, row);
  }
}

void append_queues(std::string& out, const StatusReport& report) {
  if (!report.queues.empty()) out += "\nqueues\n";
  for (const auto& queue : report.queues) {
    std::string name = queue.name;
    for (const auto& [label, value] : queue.labels) name += " " + value;
    append_row(out, name, fmt::format("{} of {}", queue.length, queue.capacity));
  }
  if (!report.pools.empty()) out += "\nbuffers\n";
  for (const auto& pool : report.pools) {
    append_row(out, pool.name,
               fmt::format("{} of {} in use, {} each", pool.in_use, pool.capacity, human_bytes(pool.buffer_bytes)));
  }
}

void append_ledger(std::string& out, const LedgerReport& ledger) {
  const auto in = sum_of(ledger.packets_in);
  const auto out_count = sum_of(ledger.packets_out);
  const auto dropped = sum_of(ledger.drops);
  out += "\nledger\n";
  append_row(out, "packets in", fmt::to_string(in));
  append_row(out, "packets out", fmt::to_string(out_count));
  append_row(out, "dropped", fmt::to_string(dropped));
  append_row(out, "held", fmt::to_string(sum_of(ledger.held)));
  append_counts(out, "by place of entry", ledger.packets_in);
  append_counts(out, "by place of exit", ledger.packets_out);
  append_counts(out, "drops by reason", ledger.drops);
  append_counts(out, "drops in the kernel (not in the sum)", ledger.kernel_drops);
}

}  // namespace

const char* name_of(OffloadReport::State state) noexcept {
  switch (state) {
    case OffloadReport::State::on:
      return "on";
    case OffloadReport::State::off:
      return "off";
    case OffloadReport::State::refused:
      return "refused";
  }
  return "unknown";
}

std::uint64_t sum_of(const std::vector<NamedCount>& counts) noexcept {
  std::uint64_t sum = 0;
  for (const auto& entry : counts) sum += entry.count;
  return sum;
}

std::string status_json(const StatusReport& report) {
  Json json{{"interface", report.interface_name},
            {"version", report.version},
            {"uptime_seconds", report.uptime_seconds},
            {"up", report.up},
            {"mtu", report.mtu},
            {"public_key", report.public_key.empty() ? Json() : Json(report.public_key)},
            {"listen_port", report.listen_port},
            {"fwmark", report.fwmark},
            {"thread_mode", report.thread_mode},
            {"cipher_threads", report.cipher_threads},
            {"udp_io", report.udp_io},
            {"aead", report.aead},
            {"offloads", offloads_json(report)},
            {"queues", queues_json(report)},
            {"pools", pools_json(report)},
            {"ledger", ledger_json(report.ledger)},
            {"counters", counts_json(report.counters)},
            {"peers", Json::array()}};
  for (const auto& peer : report.peers) json["peers"].push_back(peer_json(peer, report.now));
  // Names come from the person and the kernel: what is no UTF-8 is replaced, never thrown about.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string status_text(const StatusReport& report) {
  std::string out;
  append_device(out, report);
  for (const auto& peer : report.peers) append_peer(out, peer, report.now);
  append_offloads(out, report);
  append_queues(out, report);
  append_ledger(out, report.ledger);
  append_counts(out, "counters", report.counters);
  return out;
}

}  // namespace fireline::wg
