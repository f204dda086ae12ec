#include "tools/tunnel/host_network.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
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
    addresses_ = {.v4 = ipv4, .v6 = ipv6};
    const auto applied = platform::set_addresses(interface_, addresses_);
    if (!applied) return err(applied.error().sentence);
    for (const auto& warning : applied->warnings) spdlog::warn("{}", warning);
    families_ = applied->families;
    log(routing_.add_rules(families_));
    return {};
  }

  Result<void, std::string> set_routes(const std::vector<Prefix>& routes) override {
    routes_ = routes;
    const auto report = routing_.set_routes(routes, families_);
    if (!report) return err(report.error().sentence);
    log(*report);
    spdlog::info("{} routes lead into {}", routes.size(), interface_);
    return {};
  }

  Result<void, std::string> restore() override {
    if (!addresses_.v4 || !addresses_.v6) return {};
    auto missing = find_missing();
    if (!missing) return {};  // what cannot be told now is looked at behind the next change
    const bool refused = std::ranges::includes(refused_, *missing);
    if (!refused) {
      spdlog::info("somebody took {} addresses and routes from {}, {} first: setting them again", missing->size(),
                   interface_, missing->front().to_string());
      if (auto done = set_addresses(*addresses_.v4, *addresses_.v6); !done) return done;
      if (auto done = set_routes(std::vector(routes_)); !done) return done;
      missing = find_missing();
    }
    if (missing) refused_ = std::move(*missing);
    return {};
  }

 private:
  // Ascending; an address as the prefix of its whole length.
  [[nodiscard]] std::optional<std::vector<Prefix>> find_missing() {
    const auto addresses = platform::missing_addresses(interface_, addresses_);
    auto missing = routing_.missing_routes();
    if (!addresses || !missing) return std::nullopt;
    for (const IpAddress& one : *addresses) missing->push_back(Prefix::make(one, one.bits()).value_or(Prefix()));
    std::ranges::sort(*missing);
    return std::move(*missing);
  }

  static void log(const platform::RoutingReport& report) {
    for (const auto& warning : report.warnings) spdlog::warn("{}", warning);
    for (const auto& detail : report.details) spdlog::debug("{}", detail);
  }

  std::string interface_;
  platform::Routing routing_;
  platform::WorkingFamilies families_;
  platform::TunnelAddresses addresses_;  // as set last
  std::vector<Prefix> routes_;
  std::vector<Prefix> refused_;  // missing although restore() has set them
};

}  // namespace

Result<std::unique_ptr<HostNetwork>, std::string> make_linux_host_network(const std::string& interface) {
  auto routing = platform::Routing::open(interface);
  if (!routing) return err(routing.error().sentence);
  return std::make_unique<LinuxHostNetwork>(interface, std::move(*routing));
}

}  // namespace fireline::tunnel
