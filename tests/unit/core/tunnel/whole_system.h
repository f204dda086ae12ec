// The whole system in one process on a virtual clock: the real control plane, relay protocol, gateways and clients,
// each with its real engine and its real channel to the portal, in the simulator's network.
//
//   alice 10.0.0.4 ──NAT 198.51.100.4──┐
//                                      ├── core ── relays 203.0.113.1, .2
//   gateways 10.0.1.N ─NAT 198.51.100.7┘          (every program has a line to the portal)
//
// Resources: "net" 10.20.0.0/16 and "web" 10.30.0.0/16 (TCP alone) of site "lab", "far" 10.40.0.0/16 of site "away",
// "internet" of "lab". Everybody may use all of them. Every datagram takes 10 ms on each access line.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tunnel/client.h"
#include "core/tunnel/gateway.h"
#include "tests/sim/relay_host.h"
#include "tests/unit/core/node/station.h"
#include "tests/unit/core/node/world_clock.h"
#include "tests/unit/core/policy/documents.h"
#include "tests/unit/core/tunnel/whole_system_channel.h"

namespace fireline::tunnel::test {

using namespace std::chrono_literals;
using wireguard::Packet;
using wireguard::Packets;

class WholeSystem;

// What gateway and client programs have alike. The channel outlives the process: its lines may still call.
class TunnelProgram {
 public:
  TunnelProgram(WholeSystem& system, portal::Role role, std::string name, std::string token, std::size_t site,
                const std::string& address);
  virtual ~TunnelProgram() = default;
  TunnelProgram(const TunnelProgram&) = delete;
  TunnelProgram& operator=(const TunnelProgram&) = delete;

  // A fresh process with another key.
  void start();
  // The process is gone without a word.
  void kill();
  // Its host is gone from the network: nobody is told.
  void cut_off();
  [[nodiscard]] Now now() const { return station.now(); }
  // Of the device: "alice" and "alice.2" are processes of one.
  [[nodiscard]] std::string external_id() const { return name.substr(0, name.find('.')); }
  [[nodiscard]] Uuid id() const { return policy::id_of(external_id()); }

  WholeSystem& system;
  const std::string name;
  node::Station station;
  ChannelHost channel;

 protected:
  virtual std::unique_ptr<packet::Engine> make_engine(const crypto::Key& key) = 0;
  virtual void drain_engine() = 0;
  virtual void on_message(std::string_view event, std::string_view payload) = 0;
  [[nodiscard]] crypto::Key new_key();

 private:
  portal::Role role_;
  std::string token_;
  std::uint64_t seed_;
};

class ClientProgram final : public TunnelProgram {
 public:
  ClientProgram(WholeSystem& world, std::string device, std::string token, std::size_t site, const std::string& address,
                ClientOptions client_options = {})
      : TunnelProgram(world, portal::Role::client, std::move(device), std::move(token), site, address),
        options(client_options) {}

  // Another network: another key, another login.
  void reset();
  void shut_down();
  [[nodiscard]] Packet to(const std::string& destination, std::uint8_t tag = 0) const;
  [[nodiscard]] Packet from(const std::string& source, std::uint8_t tag = 0) const;
  [[nodiscard]] std::uint64_t count(ClientCounter which) const { return engine->counters().get(which); }
  [[nodiscard]] std::optional<Uuid> gateway_of(const std::string& resource) const;
  [[nodiscard]] Reachability status_of(const std::string& resource) const;
  [[nodiscard]] std::vector<FlowOutcome> take_outcomes() { return std::exchange(outcomes, {}); }

  ClientOptions options;
  Client* engine = nullptr;  // the station's
  std::vector<FlowOutcome> outcomes;
  std::vector<GatewayReport> reports;
  std::size_t tun_changes = 0;
  std::size_t relays_wanted = 0;

 private:
  std::unique_ptr<packet::Engine> make_engine(const crypto::Key& key) override;
  void drain_engine() override;
  void on_message(std::string_view event, std::string_view payload) override;
};

class GatewayProgram final : public TunnelProgram {
 public:
  GatewayProgram(WholeSystem& world, std::string device, std::string token, std::size_t site,
                 const std::string& address)
      : TunnelProgram(world, portal::Role::gateway, std::move(device), std::move(token), site, address) {}

  void shut_down();
  [[nodiscard]] std::uint64_t count(GatewayCounter which) const { return engine->counters().get(which); }
  // "net", "web": of that client, in the order of their ids.
  [[nodiscard]] std::vector<std::string> grants_of(const TunnelProgram& client) const;

  Gateway* engine = nullptr;  // the station's
  std::vector<GrantReport> grants;
  std::vector<ClientGone> gone;
  std::vector<ClientReport> reports;

 private:
  std::unique_ptr<packet::Engine> make_engine(const crypto::Key& key) override;
  void drain_engine() override;
  void on_message(std::string_view event, std::string_view payload) override;
};

// A relay that has logged in.
struct RelayProgram {
  RelayProgram(WholeSystem& system, const std::string& name, const std::string& address);
  void log_in();
  void kill();
  // With another secret: another relay at the same address.
  void restart();

  std::string address;
  sim::RelayHost host;
  ChannelHost channel;
};

class WholeSystem {
 public:
  // With one relay, gateway "gw1" and client "alice", all of them logged in.
  explicit WholeSystem(ClientOptions options = {});
  ~WholeSystem();

  GatewayProgram& add_gateway(const std::string& name, const std::string& token = "lab");
  ClientProgram& add_client(const std::string& name, const std::string& token = "alice", ClientOptions options = {});
  RelayProgram& add_relay(const std::string& name, const std::string& address);

  void run(Duration duration) { clock.run(duration); }
  bool run_until(const std::function<bool()>& condition, Duration limit = 5s) {
    return clock.run_until(condition, limit);
  }
  // The client sends a packet, and again every second as TCP does, until one is delivered behind the gateway: the time
  // that it took. Empty: not within the limit.
  std::optional<Duration> reach(ClientProgram& client, const std::string& destination, GatewayProgram& gateway,
                                Duration limit = 30s);
  // The same; that time must be within the limit.
  void expect_reached(ClientProgram& from, const std::string& destination, GatewayProgram& to, Duration limit) {
    const auto took = reach(from, destination, to);
    ASSERT_TRUE(took.has_value());
    EXPECT_LE(*took, limit);
  }
  // The same without a limit of its own, and until the path has become the best one.
  void connect(ClientProgram& from, const std::string& destination, GatewayProgram& to) {
    EXPECT_TRUE(reach(from, destination, to).has_value());
    run(5s);
  }
  // One packet there, and one back.
  [[nodiscard]] bool exchange(ClientProgram& client, const std::string& destination, GatewayProgram& gateway,
                              Duration limit = 2s);

  sim::EventQueue queue;
  sim::Network network{queue, sim::Dice(7)};
  node::WorldClock clock{queue};
  PortalHost portal;
  std::size_t core_site, client_site, gateway_site;
  std::uint64_t next_seed = 100;
  std::size_t gateways = 0, clients = 0;
  std::uint8_t tag = 0;
  std::vector<std::unique_ptr<RelayProgram>> relays;
  std::vector<std::unique_ptr<TunnelProgram>> programs;
  GatewayProgram& gateway;
  ClientProgram& client;

 private:
  GatewayProgram& begin();
};

// Of the four resources.
[[nodiscard]] policy::Document whole_document();

}  // namespace fireline::tunnel::test
