// ICMP errors: which of them are followed, and that they end nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "tests/unit/core/node/node_fixture.h"

namespace fireline::node {
namespace {

using Kind = NodeEvent::Kind;

TEST(NodeHints, AnIcmpErrorAboutTheRelaysOtherAddressIsNone) {
  World world({.v6 = true});
  world.connect();
  world.run(2s);
  const Endpoint server = world.client->node->relays(world.now())[0].allocation.server.value();
  const Endpoint other = endpoint(server.address.is_v4() ? "[2001:db8:1::1]:3478" : "203.0.113.1:3478");
  const auto refreshes = [&] { return world.client->node->turn_counters().get(turn::TurnCounter::requests); };
  const auto before = refreshes();
  world.client->unreachable(other);
  world.run(100ms);
  EXPECT_EQ(refreshes(), before);
  world.run(1s);
  world.client->unreachable(server);
  EXPECT_EQ(refreshes(), before + 1) << "else this tests nothing";
}

TEST(NodeHints, IcmpIsAHintAndEndsNothing) {
  World world;
  world.connect();
  world.run(1s);
  const ConnectionStatus before = world.client->status("gateway");
  const std::array changes{world.client->count(Kind::path_changed), world.gateway->count(Kind::path_changed)};
  for (int i = 0; i < 50; ++i) {
    for (const Endpoint& destination :
         {before.path->destination, endpoint("203.0.113.1:3478"), endpoint("192.0.2.9:9")}) {
      world.client->unreachable(destination);
    }
    world.run(10ms);
  }
  EXPECT_EQ(world.client->counted(NodeCounter::hints), 2u) << "one in a second of each kind";
  EXPECT_EQ(world.client->counted(NodeCounter::hints_ignored), 148u);
  world.run(10s);
  EXPECT_TRUE(world.exchange());
  EXPECT_EQ(world.client->count(Kind::failed) + world.client->count(Kind::no_relays_left), 0u);
  EXPECT_EQ(world.client->count(Kind::path_changed), changes[0]);
  EXPECT_EQ(world.gateway->count(Kind::path_changed), changes[1]);
}

// Whoever forges errors about addresses that a peer has, but to which no path leads, silences no true one.
TEST(NodeHints, AnIcmpErrorIsHeardWhateverOthersCameBefore) {
  World world;
  world.connect();
  world.run(1s);
  const Endpoint used = world.client->status("gateway").path->destination;
  const Endpoint unused = endpoint("10.0.1.7:52625");
  ASSERT_NE(used, unused);
  const auto candidates = world.gateway->told(Kind::candidates_gathered);
  ASSERT_TRUE(std::ranges::any_of(candidates, [](const std::string& one) { return one.contains(" 10.0.1.7 52625 "); }));
  const auto checks = world.client->counted(NodeCounter::sent_checks);
  for (const Endpoint& destination : {unused, endpoint("192.0.2.9:9")}) world.client->unreachable(destination);
  EXPECT_EQ(world.client->counted(NodeCounter::sent_checks), checks);
  world.client->unreachable(used);
  EXPECT_EQ(world.client->counted(NodeCounter::hints), 1u);
  EXPECT_EQ(world.client->counted(NodeCounter::hints_ignored), 2u);
  EXPECT_GT(world.client->counted(NodeCounter::sent_checks), checks);
}

TEST(NodeHints, AnIcmpErrorAboutOneRelaySilencesNoneAboutAnother) {
  World world({.relays = 2});
  world.connect();
  world.run(1s);
  for (int i = 0; i < 3; ++i) world.client->unreachable(endpoint("203.0.113.1:3478"));
  world.client->unreachable(endpoint("203.0.113.2:3478"));
  EXPECT_EQ(world.client->counted(NodeCounter::hints), 2u);
  EXPECT_EQ(world.client->counted(NodeCounter::hints_ignored), 2u);
}

}  // namespace
}  // namespace fireline::node
