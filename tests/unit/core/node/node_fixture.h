// Nodes, real relays and a portal on a virtual clock, in the simulator's network: every datagram takes 10 ms on each
// access line, timers run at their exact times.
//
//   client 10.0.0.4 (public 198.51.100.4) ──NAT──┐
//                                                ├── core ── relays 203.0.113.1, 203.0.113.2 …
//   gateway 10.0.1.7 (public 198.51.100.7) ──NAT─┘
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/crypto/x25519.h"
#include "core/node/node.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"
#include "tests/sim/relay_host.h"
#include "tests/unit/core/node/station.h"

namespace fireline::node {

using namespace std::chrono_literals;
using wireguard::Packet;

class World;

// A station with a node, and its portal connection.
class TestNode final : public Station {
 public:
  TestNode(World& world, std::string id, NodeRole role, std::size_t site, std::optional<IpAddress> v4,
           std::optional<IpAddress> v6, wireguard::InnerPolicy* policy = nullptr);

  // Calls an input, sends what it gives, tells the portal.
  template <class Input>
  auto call(Input&& ask) {
    return Station::call([&](packet::Output& out) { return ask(*node, out); });
  }
  void set_relays(const std::vector<std::string>& removed, const std::vector<turn::RelayEntry>& connected);
  void receive_train(const Endpoint& source, const Endpoint& destination, const std::vector<Packet>& datagrams);

  [[nodiscard]] ConnectionStatus status(const std::string& id) const;
  [[nodiscard]] bool has(const std::string& id) const;
  [[nodiscard]] std::size_t count(NodeEvent::Kind kind) const;
  [[nodiscard]] std::uint64_t counted(NodeCounter counter) const { return node->counters().get(counter); }
  // All candidates that were told and not withdrawn.
  [[nodiscard]] std::vector<std::string> told(NodeEvent::Kind kind) const;
  void expect_ledger() const;

  World& world;
  std::string id;
  crypto::Key private_key;
  crypto::PublicKey public_key;
  Node* node = nullptr;  // the station's engine

  std::vector<NodeEvent> events;
  std::vector<std::size_t> trains;  // datagrams of each train that was sent
  std::vector<sim::Train> sent;     // kept while `keep_sent`
  bool keep_sent = false;
  bool hears_icmp = true;
};

class World {
 public:
  struct Options {
    sim::Dependence client_nat = sim::Dependence::endpoint_independent;  // mapping and filtering
    sim::Dependence gateway_nat = sim::Dependence::endpoint_independent;
    bool v6 = false;  // both have public IPv6 addresses as well
    std::size_t relays = 1;
    wireguard::InnerPolicy* gateway_policy = nullptr;
  };
  World() : World(Options()) {}
  explicit World(const Options& options);

  [[nodiscard]] Now now() const { return sim::now_at(queue.now()); }
  void run(Duration duration);
  // Until the condition holds; false when the time is over.
  bool run_until(const std::function<bool()>& condition, Duration limit);

  [[nodiscard]] ConnectionParameters parameters_at(const TestNode& node, const TestNode& peer) const;
  UpsertOutcome upsert(TestNode& node, const TestNode& peer);
  // Relays allocated on both sides.
  void allocate();
  // Both sides upserted, until packets flow both ways; the time that it took.
  Duration connect();
  // A packet each way.
  [[nodiscard]] bool exchange(Duration limit = 1s);
  void on_event(TestNode& from, const NodeEvent& event);
  [[nodiscard]] std::vector<turn::RelayEntry> entries(const TestNode& node, std::size_t relay) const;
  [[nodiscard]] std::vector<turn::RelayEntry> all_entries(const TestNode& node) const;

  sim::EventQueue queue;
  sim::Network network{queue, sim::Dice(7)};
  std::vector<std::unique_ptr<sim::RelayHost>> relays;
  std::size_t client_site = 0, gateway_site = 0;
  bool signalling = true;  // the portal passes candidates on
  std::string password_suffix;
  crypto::Key preshared_key;
  std::unique_ptr<TestNode> client;
  std::unique_ptr<TestNode> gateway;
};

[[nodiscard]] Endpoint endpoint(const std::string& text);

}  // namespace fireline::node
