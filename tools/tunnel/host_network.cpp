#include "tools/tunnel/host_network.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "platform/linux/routing.h"
#include "platform/linux/tun_settings.h"

namespace fireline::tunnel {
namespace {

class LinuxHostNetwork final : public HostNetwork {
 public:
  LinuxHostNetwork(std::string interface, platform::Routing routing)
      : interface_(std::move(interface)), routing_(std::move(routing)) {
    log(routing_.clear_tables());
  }

  Result<void, std::string> set_addresses(const IpAddress& ipv4, const IpAddress& ipv6) override {
    const auto applied = platform::set_addresses(interface_, {.v4 = ipv4, .v6 = ipv6});
    if (!applied) return err(applied.error().sentence);
    for (const auto& warning : applied->warnings) spdlog::warn("{}", warning);
    families_ = applied->families;
    log(routing_.add_rules(families_));
    return {};
  }

  Result<void, std::string> set_routes(const std::vector<Prefix>& routes) override {
    const auto report = routing_.set_routes(routes, families_);
    if (!report) return err(report.error().sentence);
    log(*report);
    spdlog::info("{} routes lead into {}", routes.size(), interface_);
    return {};
  }

 private:
  static void log(const platform::RoutingReport& report) {
    for (const auto& warning : report.warnings) spdlog::warn("{}", warning);
    for (const auto& detail : report.details) spdlog::debug("{}", detail);
  }

  std::string interface_;
  platform::Routing routing_;
  platform::WorkingFamilies families_;
};

}  // namespace

Result<std::unique_ptr<HostNetwork>, std::string> make_linux_host_network(const std::string& interface) {
  auto routing = platform::Routing::open(interface);
  if (!routing) return err(routing.error().sentence);
  return std::make_unique<LinuxHostNetwork>(interface, std::move(*routing));
}

}  // namespace fireline::tunnel
