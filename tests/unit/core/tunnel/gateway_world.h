// A tunnel's gateway and clients that are plain nodes, which send whatever a test wants, on a virtual clock in the
// simulator's network. The test plays the portal.
//
//   clients 10.0.0.N ─NAT 198.51.100.4──┐
//                                       ├── core ── relay 203.0.113.1
//   gateway 10.0.1.1 ──NAT 198.51.100.7─┘
//
// The gateway is 100.64.0.1 and fd00:2021:1111::1 inside, client N 100.64.0.N and fd00:2021:1111::N (N in hex).
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tunnel/gateway.h"
#include "tests/sim/relay_host.h"
#include "tests/unit/core/node/station.h"
#include "tests/unit/core/node/world_clock.h"
#include "tests/unit/core/tunnel/client_values.h"

namespace fireline::tunnel::test {

using namespace std::chrono_literals;
using node::Station;
using wireguard::Packet;
using wireguard::Packets;

class GatewayWorld;

struct PlainClient {
  PlainClient(GatewayWorld& world, std::uint8_t number);
  // A fresh process.
  void start();

  GatewayWorld& world;
  std::uint8_t number;
  Station station;
  node::Node* node = nullptr;  // the station's engine
  std::size_t closed = 0;      // connections that the gateway ended with a goodbye
};

class GatewayWorld {
 public:
  // With `init` and relays, unless a test wants to see what is before.
  explicit GatewayWorld(bool configured = true);
  ~GatewayWorld();

  void run(Duration duration) { clock.run(duration); }
  bool run_until(const std::function<bool()>& condition, Duration limit = 5s) {
    return clock.run_until(condition, limit);
  }
  [[nodiscard]] Now now() const { return station.now(); }
  // Seconds of the gateway's wall clock from now on.
  [[nodiscard]] portal::Timestamp in(std::chrono::seconds later) const;

  void handle(const portal::PortalToGateway& message);
  void init(std::optional<std::vector<portal::Authorization>> authorizations = std::nullopt, bool with_relays = true);
  [[nodiscard]] portal::AuthorizeFlow request(std::uint8_t client, const policy::GatewayResource& resource,
                                              std::optional<portal::Timestamp> expires_at = std::nullopt) const;
  // The portal asks, the gateway agrees, the client is told.
  void authorize(std::uint8_t client, const policy::GatewayResource& resource,
                 std::optional<portal::Timestamp> expires_at = std::nullopt);
  // The same until packets pass.
  PlainClient& connect(std::uint8_t client, const policy::GatewayResource& resource,
                       std::optional<portal::Timestamp> expires_at = std::nullopt);
  PlainClient& client(std::uint8_t number);

  [[nodiscard]] static std::string own4(std::uint8_t client) { return "100.64.0." + std::to_string(client); }
  [[nodiscard]] static std::string own6(std::uint8_t client);
  // UDP from port 4000 to 5000.
  [[nodiscard]] static Packet from_client(std::uint8_t client, const std::string& destination, std::uint8_t tag = 0);
  [[nodiscard]] static Packet to_client(std::uint8_t client, const std::string& source, std::uint8_t tag = 0);
  [[nodiscard]] static Uuid client_id(std::uint8_t number) { return uuid(number, 0xC1); }
  [[nodiscard]] std::uint64_t count(GatewayCounter which) const { return gateway->counters().get(which); }
  [[nodiscard]] std::size_t grants_of(std::uint8_t client) const;
  // The events of one kind since the last time.
  template <class Event>
  [[nodiscard]] std::vector<Event> take() {
    std::vector<Event> taken;
    for (GatewayEvent& event : std::exchange(events, {})) {
      if (auto* one = std::get_if<Event>(&event)) taken.push_back(std::move(*one));
    }
    return taken;
  }

  sim::EventQueue queue;
  sim::Network network{queue, sim::Dice(7)};
  node::WorldClock clock{queue};
  std::size_t client_site, gateway_site;
  sim::RelayHost relay;
  Station station;
  Gateway* gateway = nullptr;  // the station's engine
  std::map<std::uint8_t, std::unique_ptr<PlainClient>> clients;
  std::vector<GatewayEvent> events;  // but candidates, which are passed on

 private:
  void on_event(GatewayEvent event);
  void pass_on(std::uint8_t client, bool to_client, std::vector<std::string> candidates, bool invalidate);
  friend struct PlainClient;
};

// Resources as a gateway sees them; `id` is also what tells them apart in client_values.h.
[[nodiscard]] policy::GatewayResource network_behind(std::uint8_t id, const std::string& network,
                                                     std::vector<policy::Filter> filters = {});
[[nodiscard]] policy::GatewayResource internet_behind(std::uint8_t id);

}  // namespace fireline::tunnel::test
