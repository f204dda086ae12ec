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
    log(routing_.clear_tables(), spdlog::level::warn);
  }

  Result<void, std::string> set_addresses(const IpAddress& ipv4, const IpAddress& ipv6) override {
    addresses_ = {.v4 = ipv4, .v6 = ipv6};
    return sentence_of(apply_addresses(spdlog::level::warn));
  }

  Result<void, std::string> set_routes(const std::vector<Prefix>& routes) override {
    routes_ = routes;
    if (const auto done = apply_routes(spdlog::level::warn); !done) return sentence_of(done);
    spdlog::info("{} routes lead into {}", routes.size(), interface_);
    refused_ = find_missing().value_or(std::vector<Prefix>());
    wait_ = {};
    return {};
  }

  Result<void, std::string> restore(Instant now) override {
    if (!addresses_.v4 || !addresses_.v6) return {};
    const auto missing = find_missing();
    if (missing && !std::ranges::includes(refused_, *missing)) {
      spdlog::info("somebody took {} addresses and routes from {}, {} first: setting them again", missing->size(),
                   interface_, missing->front().to_string());
      wait_ = {};
      return set_again(now, spdlog::level::warn);
    }
    if (missing && missing->empty()) {
      accept(now, missing);
    } else if (!wait_.until) {
      wait_.prolong(now);
    } else if (now >= *wait_.until) {
      return set_again(now, spdlog::level::debug);
    }
    return {};
  }

  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept override { return wait_.until; }

 private:
  struct Wait {
    std::optional<Instant> until;
    Duration delay = kRestoreDelayMin;  // the next one

    void prolong(Instant now) {
      until = now + delay;
      delay = std::min(delay * 2, kRestoreDelayMax);
    }
  };

  // `level`: of what the host refuses.
  [[nodiscard]] Result<void, std::string> set_again(Instant now, spdlog::level::level_enum level) {
    auto done = apply_addresses(level);
    if (done) done = apply_routes(level);
    if (!done && !platform::is_shortage(done.error().code)) return sentence_of(done);
    if (!done) spdlog::warn("{}: trying again in a while", done.error().sentence);
    accept(now, done ? find_missing() : std::nullopt);
    return {};
  }

  // What is missing still, if that can be told, is what the host refuses.
  void accept(Instant now, std::optional<std::vector<Prefix>> missing) {
    const auto before = refused_.size();
    if (missing) refused_ = std::move(*missing);
    if (refused_.size() < before) spdlog::info("{} has addresses and routes that were refused", interface_);
    if (missing && refused_.empty()) {
      wait_ = {};
    } else {
      wait_.prolong(now);
    }
  }

  [[nodiscard]] Result<void, platform::HostError> apply_addresses(spdlog::level::level_enum level) {
    const auto applied = platform::set_addresses(interface_, addresses_);
    if (!applied) return err(applied.error());
    for (const auto& warning : applied->warnings) spdlog::log(level, "{}", warning);
    families_ = applied->families;
    log(routing_.add_rules(families_), level);
    return {};
  }

  [[nodiscard]] Result<void, platform::HostError> apply_routes(spdlog::level::level_enum level) {
    const auto report = routing_.set_routes(routes_, families_);
    if (!report) return err(report.error());
    log(*report, level);
    return {};
  }

  static Result<void, std::string> sentence_of(const Result<void, platform::HostError>& done) {
    if (!done) return err(done.error().sentence);
    return {};
  }

  // Ascending; an address as the prefix of its whole length.
  [[nodiscard]] std::optional<std::vector<Prefix>> find_missing() {
    const auto addresses = platform::missing_addresses(interface_, addresses_);
    auto missing = routing_.missing_routes();
    if (!addresses || !missing) return std::nullopt;
    for (const IpAddress& one : *addresses) missing->push_back(Prefix::make(one, one.bits()).value_or(Prefix()));
    std::ranges::sort(*missing);
    return std::move(*missing);
  }

  static void log(const platform::RoutingReport& report, spdlog::level::level_enum level) {
    for (const auto& warning : report.warnings) spdlog::log(level, "{}", warning);
    for (const auto& detail : report.details) spdlog::debug("{}", detail);
  }

  std::string interface_;
  platform::Routing routing_;
  platform::WorkingFamilies families_;
  platform::TunnelAddresses addresses_;  // as set last
  std::vector<Prefix> routes_;
  std::vector<Prefix> refused_;  // missing although they were set
  Wait wait_;
};

}  // namespace

Result<std::unique_ptr<HostNetwork>, std::string> make_linux_host_network(const std::string& interface) {
  auto routing = platform::Routing::open(interface);
  if (!routing) return err(routing.error().sentence);
  return std::make_unique<LinuxHostNetwork>(interface, std::move(*routing));
}

}  // namespace fireline::tunnel
