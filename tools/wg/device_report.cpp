#include "tools/wg/device_report.h"

#include <array>
#include <chrono>

namespace fireline::wg {
namespace {

// Every counter of engine, sockets and TUN by name, those of replaced sockets included.
using Counts = std::map<std::string, std::uint64_t, std::less<>>;

template <class Enum>
void add_to(Counts& counts, const Counters<Enum>& counters) {
  counters.for_each([&](std::string_view name, std::uint64_t value) { counts[std::string(name)] += value; });
}

Counts gather(const ReportSources& sources) {
  Counts counts;
  add_to(counts, sources.device.counters());
  add_to(counts, sources.plane.loop_counters());
  add_to(counts, sources.plane.cipher_counters());
  add_to(counts, sources.tun.read_counters());
  add_to(counts, sources.tun.write_counters());
  for (const auto family : {Family::v4, Family::v6}) {
    add_to(counts, sources.plane.reader_counters(family));
    if (const io::UdpPort* port = sources.plane.port(family)) {
      add_to(counts, port->receive_counters());
      add_to(counts, port->send_counters());
    }
  }
  const auto add_retired = [&]<class Enum>(Enum) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(Enum::count_); ++i) {
      const auto name = name_of(static_cast<Enum>(i));
      counts[std::string(name)] += sources.retired_sockets.get(name);
    }
  };
  add_retired(io::UdpReceiveCounter{});
  add_retired(io::UdpSendCounter{});
  counts["udp.send.drop.no_socket"] += sources.plane.datagrams_without_socket();
  return counts;
}

std::uint64_t sum(const Counts& counts, std::initializer_list<std::string_view> names) {
  std::uint64_t total = 0;
  for (const auto name : names) {
    const auto found = counts.find(name);
    if (found != counts.end()) total += found->second;
  }
  return total;
}

// A name of the ledger's right-hand side: something that ended here and nowhere else.
bool is_drop(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 7> kOthers{"udp.receive.truncated",   "udp.receive.empty",
                                                    "udp.receive.bad_segment", "udp.receive.bad_source",
                                                    "tun.read.bad_header",     "tun.read.truncated"};
  if (name.starts_with("drop.") || name.find(".drop.") != std::string_view::npos) return true;
  for (const auto other : kOthers) {
    if (name == other) return true;
  }
  return false;
}

// Stands among the kernel's drops, exactly; the counter of that name lags behind.
constexpr const char* kLoudDrops = "udp.receive.loud_drops";

LedgerReport make_ledger(const ReportSources& sources, const Counts& counts) {
  LedgerReport ledger;
  ledger.packets_in = {
      {"tun", sum(counts, {"tun.read.segments", "tun.read.bad_header", "tun.read.truncated"})},
      {"udp", sum(counts, {"udp.receive.datagrams", "udp.receive.truncated", "udp.receive.empty",
                           "udp.receive.bad_segment", "udp.receive.bad_source"})},
      {"own", sum(counts, {"sent.keepalives", "sent.initiations", "sent.responses", "sent.cookie_replies",
                           "sent.icmp_errors"})},
  };
  ledger.packets_out = {
      {"udp", sum(counts, {"udp.send.datagrams"})},
      {"tun", sum(counts, {"tun.write.segments"})},
      {"control", sum(counts, {"udp.keepalives", "udp.initiations", "udp.responses", "udp.cookie_replies"})},
  };
  for (const auto& [name, count] : counts) {
    if (is_drop(name)) ledger.drops.push_back({name, count});
  }
  ledger.held = {{"queued_packets", sources.gauges.queued_packets},
                 {"queued_handshakes", sources.gauges.queued_handshakes}};

  std::uint64_t udp_drops = sources.retired_sockets.kernel_drops();
  std::uint64_t loud_drops = sources.retired_sockets.loud_drops();
  for (const auto family : {Family::v4, Family::v6}) {
    const io::UdpPort* port = sources.plane.port(family);
    if (port == nullptr) continue;
    const auto status = port->status();
    udp_drops += status.kernel_drops;
    loud_drops += status.loud_drops;
  }
  ledger.kernel_drops = {{"udp.receive.kernel_drops", udp_drops}, {kLoudDrops, loud_drops}};
  if (const auto tun = sources.tun.kernel_drops()) {
    ledger.kernel_drops.push_back({"tun.read.kernel_drops", tun->transmit});
    ledger.kernel_drops.push_back({"tun.write.kernel_drops", tun->receive});
  }
  return ledger;
}

std::vector<OffloadReport> make_offloads(const ReportSources& sources) {
  using State = OffloadReport::State;
  std::vector<OffloadReport> offloads;
  const auto& tun = sources.tun.capabilities();
  const auto of_tun = [&](const char* name, bool granted) {
    const bool refused = !granted && tun.offload_errno != 0;
    offloads.push_back({name,
                        granted   ? State::on
                        : refused ? State::refused
                                  : State::off,
                        refused ? tun.offload_errno : 0});
  };
  of_tun("tun_vnet_header", tun.vnet_header);
  of_tun("tun_checksum", tun.checksum);
  of_tun("tun_tso", tun.tso);
  of_tun("tun_uso", tun.uso);
  offloads.push_back({"tun_write_merging", sources.tun.coalescing_allowed() ? State::on : State::refused,
                      sources.tun.coalescing_allowed() ? 0 : EINVAL});
  for (const auto family : {Family::v4, Family::v6}) {
    const io::UdpPort* port = sources.plane.port(family);
    if (port == nullptr) continue;
    const auto status = port->status();
    const std::string prefix = family == Family::v4 ? "udp4_" : "udp6_";
    offloads.push_back({prefix + "gro", status.gro ? State::on : State::off, 0});
    offloads.push_back(
        {prefix + "gso", status.gso ? State::on : State::refused, status.gso_errno, status.gso_refused_paths});
    offloads.push_back({prefix + "loud_queue", status.loud_queue ? State::on : State::off, 0});
  }
  return offloads;
}

std::vector<QueueReport> make_queues(const io::DataPlane& plane) {
  std::vector<QueueReport> queues;
  for (const auto& depth : plane.queue_depths()) {
    const bool inbound = depth.item.ends_with("_in");
    const char* direction = depth.item.starts_with("tun") == inbound ? "transmit" : "receive";
    QueueReport queue{.name = depth.item.starts_with("tun") ? "ip-packet"
                              : inbound                     ? "udp-gro-batch"
                                                            : "udp-gso-batch",
                      .labels = {},
                      .length = depth.depth,
                      .capacity = depth.length};
    queue.labels.emplace_back("network.io.direction", direction);
    if (depth.item.starts_with("udp")) {
      queue.labels.emplace_back("network.type", depth.item.starts_with("udp4") ? "ipv4" : "ipv6");
    }
    queues.push_back(std::move(queue));
  }
  return queues;
}

std::vector<PeerReport> make_peers(const wireguard::DeviceStatus& device) {
  std::vector<PeerReport> peers;
  peers.reserve(device.peers.size());
  for (const auto& peer : device.peers) {
    PeerReport report{.public_key = peer.public_key.to_base64(),
                      .endpoint = peer.endpoint ? peer.endpoint->to_string() : "",
                      .allowed_ips = {},
                      .last_handshake = peer.last_handshake,
                      .received_bytes = peer.received_bytes,
                      .sent_bytes = peer.sent_bytes,
                      .persistent_keepalive_seconds = peer.persistent_keepalive_seconds};
    for (const auto& prefix : peer.allowed_ips) report.allowed_ips.push_back(prefix.to_string());
    peers.push_back(std::move(report));
  }
  return peers;
}

}  // namespace

void RetiredSockets::add(const io::UdpPort& port) {
  const auto keep = [&](std::string_view name, std::uint64_t value) { counts_[std::string(name)] += value; };
  port.receive_counters().for_each(keep);
  port.send_counters().for_each(keep);
  const auto status = port.status();
  kernel_drops_ += status.kernel_drops;
  loud_drops_ += status.loud_drops;
}

std::uint64_t RetiredSockets::get(std::string_view name) const {
  const auto found = counts_.find(name);
  return found == counts_.end() ? 0 : found->second;
}

StatusReport make_report(const ReportSources& sources) {
  const auto counts = gather(sources);
  StatusReport report;
  report.interface_name = sources.tun.name();
  report.version = FIRELINE_VERSION;
  report.now = sources.now.wall;
  report.uptime_seconds = static_cast<std::uint64_t>((sources.now.boot - sources.started) / std::chrono::seconds(1));
  report.up = sources.up;
  report.mtu = sources.mtu;
  if (sources.status.device.public_key) report.public_key = sources.status.device.public_key->to_base64();
  report.listen_port = sources.status.listen_port;
  report.fwmark = sources.status.fwmark;
  report.thread_mode = name_of(sources.plane.mode());
  report.cipher_threads = sources.plane.cipher_threads();
  report.udp_io = sources.plane.udp_backend();
  report.aead = crypto::name_of(sources.aead.backend());
  report.offloads = make_offloads(sources);
  report.queues = make_queues(sources.plane);
  for (const auto* pool : sources.plane.pools()) {
    report.pools.push_back({pool->name(), pool->buffer_bytes(), pool->out(), pool->limit()});
  }
  report.ledger = make_ledger(sources, counts);
  for (const auto& [name, count] : counts) {
    if (!is_drop(name) && name != kLoudDrops) report.counters.push_back({name, count});
  }
  for (const auto* pool : sources.plane.pools()) {
    report.counters.push_back({"pool." + pool->name() + ".exhausted", pool->exhausted()});
  }
  report.peers = make_peers(sources.status.device);
  return report;
}

}  // namespace fireline::wg
