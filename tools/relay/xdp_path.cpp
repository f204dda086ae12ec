#include "tools/relay/xdp_path.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "relay/xdp_offload.h"

namespace fireline::relay {
namespace {

class AttachedPath final : public XdpPath {
 public:
  AttachedPath(XdpOffload offload, std::string description)
      : offload_(std::move(offload)), description_(std::move(description)) {}

  [[nodiscard]] Host::Offload offload(const ChannelBinding& binding) override;
  void prolong(const ChannelBinding& binding) override { offload_.prolong(binding); }
  void withdraw(const ChannelBinding& binding) override { offload_.remove(binding); }
  void port_opened(std::uint16_t port) override { offload_.port_opened(port); }
  void port_closed(std::uint16_t port) override { offload_.port_closed(port); }

  [[nodiscard]] std::optional<std::string> check_access() const override {
    const auto refused = offload_.check_access();
    return refused ? std::optional(refused->sentence) : std::nullopt;
  }
  [[nodiscard]] std::string description() const override { return description_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const override { return offload_.warnings(); }
  [[nodiscard]] std::uint64_t add_counters(std::vector<NamedNumber>& counters) const override;
  void log_frames() override;

 private:
  XdpOffload offload_;
  std::string description_;
};

Host::Offload AttachedPath::offload(const ChannelBinding& binding) {
  const XdpAdded added = offload_.add(binding);
  switch (added.what) {
    case XdpAdded::What::offloaded:
      return Host::Offload::done;
    case XdpAdded::What::full:
      return Host::Offload::full;
    case XdpAdded::What::user_space:
      break;
  }
  if (const auto log = spdlog::get("eBPF"); log && log->should_log(spdlog::level::debug)) {
    log->debug("channel stays in user space: client={} peer={} reason={}", binding.client.to_string(),
               binding.peer.to_string(), name_of(added.reason));
  }
  return Host::Offload::not_offloaded;
}

std::uint64_t AttachedPath::add_counters(std::vector<NamedNumber>& counters) const {
  const XdpCounts counts = offload_.counters();
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < counts.outcomes.size(); ++i) {
    counters.push_back({fmt::format("xdp.{}", name_of(static_cast<xdp_outcome>(i))), counts.outcomes[i].frames});
    bytes += counts.outcomes[i].bytes;
  }
  const auto& reasons = offload_.not_offloaded();
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    const auto reason = static_cast<HopReason>(i);
    if (reason == HopReason::common_router) continue;
    counters.push_back({fmt::format("xdp.not_offloaded.{}", name_of(reason)), reasons[i]});
  }
  return bytes;
}

void AttachedPath::log_frames() {
  const auto events = offload_.drain_debug();
  const auto log = spdlog::get("eBPF");
  if (!log || !log->should_log(spdlog::level::trace)) return;
  for (const xdp_debug_event& event : events) {
    const auto outcome = event.outcome < xdp_outcome_count ? name_of(static_cast<xdp_outcome>(event.outcome)) : "?";
    log->trace("frame: outcome={} bytes={} source_port={} target_port={}", outcome, event.frame_bytes,
               ntohs(event.source_port), ntohs(event.target_port));
  }
}

}  // namespace

Result<std::unique_ptr<XdpPath>, std::string> XdpPath::open(const RelayOptions& options) {
  const OffloadOptions& asked = *options.offload;
  const bool driver = asked.mode == AttachMode::driver;
  XdpOptions wanted;
  wanted.interface = asked.interface;
  wanted.mode = driver ? XdpMode::driver : XdpMode::generic;
  wanted.settings.listen_port = options.listen_port;
  wanted.settings.lowest_port = options.lowest_port;
  wanted.settings.highest_port = options.highest_port;
  wanted.settings.public4 = options.public_ip4;
  wanted.settings.public6 = options.public_ip6;
  wanted.settings.interface4 = asked.interface4;
  wanted.settings.interface6 = asked.interface6;
  // Peers with a permission alone have no entry, and are served in user space.
  wanted.settings.unknown_passes = options.auth == AuthKind::fixed;
  wanted.settings.debug_ring = asked.debug;
  auto attached = XdpOffload::open(wanted);
  if (!attached) return err(std::move(attached.error().sentence));
  return std::make_unique<AttachedPath>(std::move(*attached),
                                        fmt::format("xdp {} {}", driver ? "driver" : "generic", asked.interface));
}

}  // namespace fireline::relay
