// Portal, host and engine as the reactions of a program see them, without threads, sockets and system calls: what is
// done to them is noted. Used by the tests of gateway and client.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "io/pool.h"
#include "tests/unit/core/crypto/seeded_random.h"
#include "tools/tunnel/engine_port.h"
#include "tools/tunnel/host_network.h"
#include "tools/tunnel/portal_port.h"

namespace fireline::tunnel::test {

// In the order in which things were done: "send create_flow", "log in", "addresses 100.64.0.10 …".
using Journal = std::vector<std::string>;

class FakePortal final : public PortalPort {
 public:
  explicit FakePortal(Journal& journal) : journal_(journal) {}
  void send(const portal::MessageText& message) override {
    journal_.push_back("send " + std::string(message.event));
    payloads.push_back(message.payload);
  }
  void ask_for_relays() override { journal_.push_back("ask for relays"); }
  void log_in(const crypto::PublicKey& key) override {
    journal_.push_back("log in");
    keys.push_back(key);
  }

  std::vector<std::string> payloads;
  std::vector<crypto::PublicKey> keys;

 private:
  Journal& journal_;
};

class FakeHost final : public HostNetwork {
 public:
  explicit FakeHost(Journal& journal) : journal_(journal) {}
  Result<void, std::string> set_addresses(const IpAddress& ipv4, const IpAddress& ipv6) override {
    journal_.push_back("addresses " + ipv4.to_string() + " " + ipv6.to_string());
    if (!refuse_addresses.empty()) return err(refuse_addresses);
    return {};
  }
  Result<void, std::string> set_routes(const std::vector<Prefix>& routes) override {
    journal_.push_back("routes");
    last_routes = routes;
    if (!refuse_routes.empty()) return err(refuse_routes);
    return {};
  }

  Result<void, std::string> restore(Instant) override {
    journal_.push_back("restore");
    return {};
  }
  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept override { return std::nullopt; }

  std::string refuse_addresses;  // empty: it works
  std::string refuse_routes;
  std::vector<Prefix> last_routes;

 private:
  Journal& journal_;
};

// Runs commands on the core at once; its output goes nowhere.
template <class Core>
class FakeEngine final : public EnginePort<Core> {
 public:
  using Command = typename EnginePort<Core>::Command;
  using Event = typename decltype(std::declval<Core&>().poll_event())::value_type;

  FakeEngine(Core& core, Journal& journal) : core_(core), journal_(journal) {}
  void run(const Command& command) override {
    packet::Output output;
    command(core_, now, output);
  }
  void run_and_forget_events(const Command& command) override {
    run(command);
    while (core_.poll_event()) {
    }
  }
  void handle_events() override {
    while (auto event = core_.poll_event()) on_event(*event);
  }
  [[nodiscard]] std::string rebind() override {
    journal_.push_back("rebind");
    return {};
  }

  std::function<void(const Event&)> on_event;
  Now now{.boot = Instant(std::chrono::hours(1)), .wall = UnixTime(std::chrono::seconds(1'700'000'000))};

 private:
  Core& core_;
  Journal& journal_;
};

}  // namespace fireline::tunnel::test
