#include "tests/unit/core/node/node_fixture.h"

#include <algorithm>
#include <utility>

#include "core/crypto/x25519.h"
#include "tests/unit/core/node/world_clock.h"

namespace fireline::node {
namespace {

IpAddress ip(const std::string& text) {
  return IpAddress::parse(text).value();
}

crypto::Key key_of(std::uint8_t fill) {
  crypto::Key key;
  std::ranges::fill(key.mutable_bytes(), std::byte{fill});
  return key;
}

std::optional<sim::NatOptions> nat(sim::Dependence dependence) {
  sim::NatOptions options;
  options.mapping = options.filtering = dependence;
  return options;
}

}  // namespace

Endpoint endpoint(const std::string& text) {
  return Endpoint::parse(text).value();
}

TestNode::TestNode(World& the_world, std::string name, NodeRole role, std::size_t site, std::optional<IpAddress> v4,
                   std::optional<IpAddress> v6, wireguard::InnerPolicy* policy)
    : Station(the_world.queue, the_world.network, site, v4, v6, role == NodeRole::client ? 3 : 4),
      world(the_world),
      id(std::move(name)),
      private_key(key_of(role == NodeRole::client ? 0x11 : 0x22)),
      public_key(crypto::public_key(private_key)) {
  NodeOptions options;
  options.role = role;
  options.port_v4 = options.port_v6 = kStationPort;
  options.tun_offloads = {};
  options.policy = policy;
  auto engine = std::make_unique<Node>(options, private_key, world.now(), large, small, random, *aead);
  node = engine.get();
  on_send = [this](const sim::Train& train) {
    trains.push_back(train.count());
    if (keep_sent) sent.push_back(train);
  };
  on_unreachable = [this](const Endpoint& destination) {
    if (!hears_icmp) return;
    Station::call([&](packet::Output& out) { node->handle_unreachable(world.now(), destination, out); });
  };
  Station::run(std::move(engine), [this] {
    while (auto event = node->poll_event()) {
      world.on_event(*this, *event);
      events.push_back(std::move(*event));
    }
  });
}

void TestNode::set_relays(const std::vector<std::string>& removed, const std::vector<turn::RelayEntry>& connected) {
  Station::call([&](packet::Output& out) { node->update_relays(world.now(), removed, connected, out); });
}

void TestNode::receive_train(const Endpoint& source, const Endpoint& destination,
                             const std::vector<Packet>& datagrams) {
  sim::Train train;
  train.source = source;
  train.destination = destination;
  for (const Packet& datagram : datagrams) train.append(datagram, 0);
  receive(train);
}

ConnectionStatus TestNode::status(const std::string& peer) const {
  for (const ConnectionStatus& one : node->status()) {
    if (one.id == peer) return one;
  }
  ADD_FAILURE() << id << " has no connection " << peer;
  return {};
}

bool TestNode::has(const std::string& peer) const {
  return std::ranges::any_of(node->status(), [&](const auto& one) { return one.id == peer; });
}

std::size_t TestNode::count(NodeEvent::Kind kind) const {
  return static_cast<std::size_t>(std::ranges::count(events, kind, &NodeEvent::kind));
}

std::vector<std::string> TestNode::told(NodeEvent::Kind kind) const {
  std::vector<std::string> all;
  for (const NodeEvent& event : events) {
    if (event.kind == kind) all.insert(all.end(), event.candidates.begin(), event.candidates.end());
  }
  return all;
}

void TestNode::expect_ledger() const {
  const auto of = [&](NodeCounter which) { return counted(which); };
  EXPECT_EQ(of(NodeCounter::datagrams),
            of(NodeCounter::to_device) + of(NodeCounter::to_agents) + of(NodeCounter::to_relays) +
                of(NodeCounter::drop_datagram_stun_unaddressed) + of(NodeCounter::drop_datagram_stun_unknown) +
                of(NodeCounter::drop_datagram_stun_straggler) + of(NodeCounter::drop_datagram_stun_unproven))
      << id;
  EXPECT_EQ(node->device().counters().get(wireguard::DeviceCounter::udp_datagrams), of(NodeCounter::to_device)) << id;
}

World::World(const Options& options) {
  preshared_key = key_of(0x55);
  const std::size_t core = network.add_site({});
  for (std::size_t i = 0; i < options.relays; ++i) {
    const std::string digit = std::to_string(i + 1);
    relays.push_back(std::make_unique<sim::RelayHost>(
        queue, network, "relay-" + digit, core, ip("203.0.113." + digit),
        options.v6 ? std::optional(ip("2001:db8:1::" + digit)) : std::nullopt, sim::Dice(100 + i)));
  }
  sim::SiteOptions site;
  site.nat4 = nat(options.client_nat);
  site.public4 = ip("198.51.100.4");
  client_site = network.add_site(site);
  site.nat4 = nat(options.gateway_nat);
  site.public4 = ip("198.51.100.7");
  gateway_site = network.add_site(site);
  const auto v6 = [&](const std::string& text) { return options.v6 ? std::optional(ip(text)) : std::nullopt; };
  client =
      std::make_unique<TestNode>(*this, "client", NodeRole::client, client_site, ip("10.0.0.4"), v6("2001:db8:2::4"));
  gateway = std::make_unique<TestNode>(*this, "gateway", NodeRole::gateway, gateway_site, ip("10.0.1.7"),
                                       v6("2001:db8:7::7"), options.gateway_policy);
}

void World::run(Duration duration) {
  (void)run_until([] { return false; }, duration);
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  WorldClock clock(queue);
  for (auto& relay : relays) clock.add(*relay);
  for (TestNode* node : {client.get(), gateway.get()}) clock.add(*node);
  return clock.run_until(condition, limit);
}

ConnectionParameters World::parameters_at(const TestNode& node, const TestNode& peer) const {
  const auto credentials = [&](const TestNode& of) {
    const bool is_client = &of == client.get();
    return ice::Credentials::make(
               is_client ? "llqe" : "nk46",
               std::string(is_client ? "jio6xwffz6i3ixgub3h4n5" : "yiuijlligg2km2kweghata") + password_suffix)
        .value();
  };
  return {.id = peer.id,
          .peer_key = peer.public_key,
          .preshared_key = preshared_key,
          .local = credentials(node),
          .remote = credentials(peer),
          .allowed_ips = {Prefix::parse(&peer == client.get() ? "10.0.0.1" : "10.0.0.2").value()}};
}

UpsertOutcome World::upsert(TestNode& node, const TestNode& peer) {
  return node.call(
      [&](Node& one, packet::Output& output) { return one.upsert(now(), parameters_at(node, peer), output); });
}

void World::allocate() {
  for (TestNode* node : {client.get(), gateway.get()}) node->set_relays({}, all_entries(*node));
  run(500ms);
}

Duration World::connect() {
  allocate();
  const Instant start = queue.now();
  EXPECT_EQ(upsert(*gateway, *client), UpsertOutcome::created);
  EXPECT_EQ(upsert(*client, *gateway), UpsertOutcome::created);
  client->send({wireguard::a_to_b()});
  EXPECT_TRUE(run_until([&] { return !gateway->delivered.empty(); }, 5s));
  const Duration took = queue.now() - start;
  gateway->delivered.clear();
  EXPECT_TRUE(exchange());
  return took;
}

bool World::exchange(Duration limit) {
  client->send({wireguard::a_to_b()});
  gateway->send({wireguard::b_to_a()});
  const bool done = run_until([&] { return !client->delivered.empty() && !gateway->delivered.empty(); }, limit);
  client->delivered.clear();
  gateway->delivered.clear();
  return done;
}

void World::on_event(TestNode& from, const NodeEvent& event) {
  const bool gathered = event.kind == NodeEvent::Kind::candidates_gathered;
  if (!signalling || (!gathered && event.kind != NodeEvent::Kind::candidates_invalidated)) return;
  TestNode* to = &from == client.get() ? gateway.get() : client.get();
  queue.after(20ms, [this, to, sender = from.id, gathered, candidates = event.candidates] {
    to->call([&](Node& node, packet::Output& output) {
      gathered ? node.add_remote_candidates(now(), sender, candidates, output)
               : node.invalidate_remote_candidates(now(), sender, candidates, output);
      return true;
    });
  });
}

std::vector<turn::RelayEntry> World::entries(const TestNode& node, std::size_t relay) const {
  return relays[relay]->entries_for(node.id);
}

std::vector<turn::RelayEntry> World::all_entries(const TestNode& node) const {
  std::vector<turn::RelayEntry> all;
  for (const auto& relay : relays) {
    for (auto& entry : relay->entries_for(node.id)) all.push_back(entry);
  }
  return all;
}

}  // namespace fireline::node
