// What a tunnel's client or gateway asks of the node that it drives: which packets take a connection, packets of its
// own, a verdict about decrypted ones, a limit.
#include <gtest/gtest.h>

#include "tests/unit/core/node/node_fixture.h"

namespace fireline::node {
namespace {

using wireguard::DeviceCounter;
using wireguard::Packets;
using wireguard::udp_packet;

void set_allowed_ips(World& world, TestNode& node, const std::string& peer, const std::string& network) {
  node.call([&](Node& one, packet::Output& output) {
    one.set_allowed_ips(world.now(), peer, {Prefix::parse(network).value()}, output);
  });
}

// What comes out at the other end.
Packets carried(World& world, TestNode& from, TestNode& to, const Packet& packet) {
  from.delivered.clear();
  to.delivered.clear();
  from.send({packet});
  world.run(200ms);
  return to.delivered;
}

std::uint64_t counted(const TestNode& node, DeviceCounter counter) {
  return node.node->device().counters().get(counter);
}

TEST(NodeEngine, TheNetworksOfAConnectionChangeForTheNextPacketBothWays) {
  World world;
  world.connect();
  const Packet before = wireguard::a_to_b();
  const Packet after = udp_packet("10.0.0.1", "10.9.1.1", 40);
  const Packet answer = udp_packet("10.9.1.1", "10.0.0.1", 40);
  EXPECT_EQ(carried(world, *world.client, *world.gateway, before), Packets{before});
  EXPECT_EQ(carried(world, *world.client, *world.gateway, after), Packets{});
  EXPECT_EQ(carried(world, *world.gateway, *world.client, answer), Packets{});
  EXPECT_EQ(counted(*world.client, DeviceCounter::drop_udp_disallowed_source), 1u);

  set_allowed_ips(world, *world.client, "nobody", "10.9.0.0/16");
  EXPECT_EQ(carried(world, *world.client, *world.gateway, after), Packets{}) << "an unknown connection is ignored";

  set_allowed_ips(world, *world.client, "gateway", "10.9.0.0/16");
  EXPECT_EQ(carried(world, *world.client, *world.gateway, after), Packets{after});
  EXPECT_EQ(carried(world, *world.gateway, *world.client, answer), Packets{answer});
  EXPECT_EQ(carried(world, *world.client, *world.gateway, before), Packets{}) << "those that it had are gone";
  EXPECT_EQ(counted(*world.client, DeviceCounter::drop_tun_no_peer), 3u);
  world.client->expect_ledger();
}

TEST(NodeEngine, APacketOfItsOwnGoesToWhoHasASessionAndNeverWaits) {
  World world;
  const Packet own = udp_packet("10.0.0.1", "10.0.0.2", 40);
  const auto send = [&](const crypto::PublicKey& peer) {
    world.client->call([&](Node& one, packet::Output& output) { one.send_packet(world.now(), peer, own, output); });
    world.run(200ms);
  };
  world.allocate();
  world.upsert(*world.gateway, *world.client);
  world.upsert(*world.client, *world.gateway);
  send(world.gateway->public_key);
  EXPECT_EQ(counted(*world.client, DeviceCounter::unsent_no_session), 1u);
  world.run(5s);
  EXPECT_EQ(world.gateway->delivered, Packets{}) << "it did not wait";
  ASSERT_TRUE(world.exchange());

  send(world.gateway->public_key);
  EXPECT_EQ(world.gateway->delivered, Packets{own});
  EXPECT_EQ(counted(*world.client, DeviceCounter::sent_packets), 1u);
  send(world.client->public_key);
  EXPECT_EQ(counted(*world.client, DeviceCounter::unsent_no_session), 2u) << "nobody has this key here";
}

TEST(NodeEngine, HasNoMoreConnectionsThanItIsAllowed) {
  World world;
  world.allocate();
  NodeOptions options;
  options.connections_max = 1;
  Station& host = *world.client;
  Node one(options, world.client->private_key, world.now(), host.large, host.small, host.random, *host.aead);
  packet::Output output;
  one.update_relays(world.now(), {}, world.all_entries(*world.client), output);
  ConnectionParameters parameters = world.parameters_at(*world.client, *world.gateway);
  EXPECT_EQ(one.upsert(world.now(), parameters, output), UpsertOutcome::created);
  ConnectionParameters second = parameters;
  second.id = "second";
  second.peer_key = world.client->public_key;
  EXPECT_EQ(one.upsert(world.now(), second, output), UpsertOutcome::full);
  EXPECT_EQ(one.counters().get(NodeCounter::refused_full), 1u);
  EXPECT_FALSE(one.has_connection("second"));
  EXPECT_EQ(one.upsert(world.now(), parameters, output), UpsertOutcome::reused) << "who is there stays";
  parameters.preshared_key = crypto::Key();
  EXPECT_EQ(one.upsert(world.now(), parameters, output), UpsertOutcome::replaced) << "and may change";
  one.close(world.now(), "gateway", output);
  EXPECT_EQ(one.upsert(world.now(), second, output), UpsertOutcome::created) << "there is room again";
  EXPECT_EQ(one.connection_count(), 1u);
}

// Refuses what is not from the address that it was given, whatever the connection's networks say.
class OneSource final : public wireguard::InnerPolicy {
 public:
  [[nodiscard]] bool admit(Now, const crypto::PublicKey& peer, const packet::IpHeader& header, Bytes) override {
    last_peer = peer;
    return header.source_address().to_string() == source;
  }
  std::string source;
  crypto::PublicKey last_peer;
};

TEST(NodeEngine, APolicyStandsInForTheNetworksOfAConnection) {
  OneSource policy;
  World world({.gateway_policy = &policy});
  policy.source = "10.0.0.1";
  world.connect();
  EXPECT_EQ(policy.last_peer, world.client->public_key);
  const Packet foreign = udp_packet("192.168.1.1", "10.0.0.2", 40);
  EXPECT_EQ(carried(world, *world.client, *world.gateway, foreign), Packets{});
  EXPECT_EQ(counted(*world.gateway, DeviceCounter::drop_udp_refused), 1u);
  policy.source = "192.168.1.1";
  EXPECT_EQ(carried(world, *world.client, *world.gateway, foreign), Packets{foreign});
  EXPECT_EQ(carried(world, *world.client, *world.gateway, wireguard::a_to_b()), Packets{});
  EXPECT_EQ(counted(*world.gateway, DeviceCounter::drop_udp_disallowed_source), 0u);
}

}  // namespace
}  // namespace fireline::node
