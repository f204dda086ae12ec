// A tunnel's client, gateways and a real relay on a virtual clock, in the simulator's network, with a portal between
// them that answers when it is told to. Every datagram takes 10 ms on each access line; timers run at their exact
// times.
//
//   client 10.0.0.4 ──NAT 198.51.100.4──┐
//                                       ├── core ── relay 203.0.113.1
//   gateway N 10.0.1.N ─NAT 198.51.100.7┘
//
// A gateway is whatever engine a test wants there: the client sees a peer.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/tunnel/client.h"
#include "tests/sim/relay_host.h"
#include "tests/unit/core/node/station.h"
#include "tests/unit/core/node/world_clock.h"
#include "tests/unit/core/tunnel/client_values.h"

namespace fireline::tunnel::test {

using namespace std::chrono_literals;
using node::Station;
using wireguard::Packet;
using wireguard::Packets;

class TunnelWorld;

// A gateway that grants everything: a node whose TUN is the network behind it.
struct PlainGateway {
  PlainGateway(TunnelWorld& world, std::uint8_t number);

  std::uint8_t number;
  Station station;
  node::Node* node = nullptr;  // the station's engine
};

class TunnelWorld {
 public:
  explicit TunnelWorld(ClientOptions options = {});
  ~TunnelWorld();

  [[nodiscard]] Now now() const { return sim::now_at(queue.now()); }
  void run(Duration duration) { clock.run(duration); }
  // Until the condition holds; false when the time is over.
  bool run_until(const std::function<bool()>& condition, Duration limit = 5s) {
    return clock.run_until(condition, limit);
  }

  // The portal.
  void handle(const portal::PortalToClient& message);
  void init(std::vector<policy::ClientResource> resources, bool with_relays = true);
  PlainGateway& gateway(std::uint8_t number);
  // The gateway lets the client in, and the client is told.
  void grant(const Uuid& resource, std::uint8_t gateway, std::uint8_t site = 1);
  // As a packet to `destination` would have it: asked for, granted, delivered behind the gateway.
  void connect(const Uuid& resource, const std::string& destination, std::uint8_t gateway, std::uint8_t site = 1);

  [[nodiscard]] Packet to(const std::string& destination, std::uint8_t tag = 0) const;
  [[nodiscard]] Packet from(const std::string& source, std::uint8_t tag = 0) const;
  [[nodiscard]] std::uint64_t count(ClientCounter which) const { return client->counters().get(which); }
  [[nodiscard]] Reachability site_status(std::uint8_t number) const;
  [[nodiscard]] std::optional<Uuid> gateway_of(const Uuid& resource) const;
  [[nodiscard]] std::vector<turn::RelayEntry> relay_entries(const std::string& name) const;

  sim::EventQueue queue;
  sim::Network network{queue, sim::Dice(7)};
  node::WorldClock clock{queue};
  std::unique_ptr<sim::RelayHost> relay;
  std::size_t client_site = 0, gateway_site = 0;
  std::unique_ptr<Station> station;  // the client's
  Client* client = nullptr;          // its engine
  std::map<std::uint8_t, std::unique_ptr<PlainGateway>> gateways;
  std::vector<Uuid> asked;  // of the portal
  std::vector<GatewayReport> reports;
  std::size_t relays_wanted = 0;
  bool signalling = true;  // candidates are passed on

 private:
  void on_client_event(ClientEvent event);
  void pass_on(std::uint8_t gateway, bool to_client, std::vector<std::string> candidates, bool invalidate);
  friend struct PlainGateway;
};

}  // namespace fireline::tunnel::test
