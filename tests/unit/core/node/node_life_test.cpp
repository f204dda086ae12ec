// States, failures, goodbyes, idle mode (connectivity specification 2.7, 2.8).
#include <gtest/gtest.h>

#include "tests/unit/core/node/node_fixture.h"

namespace fireline::node {
namespace {

using Kind = NodeEvent::Kind;

void cut(World& world) {
  world.network.set_links_up(world.gateway_site, false, false);
}

FailureReason reason(const TestNode& node) {
  for (const NodeEvent& event : node.events) {
    if (event.kind == Kind::failed) return event.reason;
  }
  return FailureReason::none;
}

TEST(NodeLife, WithoutAnyCandidateOfThePeerItFailsAfterTenSeconds) {
  World world;
  world.allocate();
  world.upsert(*world.client, *world.gateway);
  world.run(9900ms);
  EXPECT_EQ(world.upsert(*world.client, *world.gateway), UpsertOutcome::reused) << "does not start the time anew";
  EXPECT_TRUE(world.client->has("gateway"));
  world.run(200ms);
  EXPECT_FALSE(world.client->has("gateway"));
  EXPECT_EQ(reason(*world.client), FailureReason::no_candidates);
  EXPECT_EQ(world.client->counted(NodeCounter::failed_no_candidates), 1u);
  EXPECT_EQ(world.client->counted(NodeCounter::goodbyes_sent), 0u);
}

TEST(NodeLife, AClientsDeadPathFailsTwoSecondsAfterItsLastPair) {
  World world;
  world.connect();
  cut(world);
  ASSERT_FALSE(world.run_until([&] { return !world.client->has("gateway"); }, 16500ms));
  EXPECT_TRUE(world.run_until([&] { return !world.client->has("gateway"); }, 4s)) << "18 s and 2 s at most";
  EXPECT_EQ(reason(*world.client), FailureReason::ice_timeout);
  EXPECT_EQ(world.client->counted(NodeCounter::failed_ice_timeout), 1u);
  EXPECT_TRUE(world.gateway->has("client")) << "only the client can connect anew";
}

TEST(NodeLife, RecoversWithinTheGraceTime) {
  World world;
  world.connect();
  cut(world);
  ASSERT_TRUE(
      world.run_until([&] { return world.client->status("gateway").ice == ice::AgentState::disconnected; }, 20s));
  world.network.set_links_up(world.gateway_site, true, true);
  world.run(1s);
  // The gateway's own checks find the way back, or an upsert brings candidates again.
  world.upsert(*world.gateway, *world.client);
  world.run(5s);
  EXPECT_EQ(world.client->count(Kind::failed), 0u);
  EXPECT_TRUE(world.exchange());
}

TEST(NodeLife, CloseSaysGoodbyeOnceAndThePeerForgetsAtOnce) {
  World world;
  world.connect();
  world.client->call([&](Node& node, packet::Output& output) {
    node.close(world.now(), "gateway", output);
    node.close(world.now(), "gateway", output);
    return true;
  });
  EXPECT_EQ(world.client->counted(NodeCounter::goodbyes_sent), 1u);
  EXPECT_EQ(world.client->counted(NodeCounter::closed_by_us), 1u);
  EXPECT_EQ(world.client->count(Kind::closed), 1u);
  world.run(100ms);
  EXPECT_FALSE(world.gateway->has("client"));
  EXPECT_EQ(world.gateway->count(Kind::closed), 1u);
  EXPECT_EQ(world.gateway->counted(NodeCounter::closed_by_peer), 1u);
  EXPECT_EQ(world.gateway->counted(NodeCounter::goodbyes_sent), 0u) << "not answered";
  EXPECT_TRUE(world.gateway->delivered.empty()) << "no packet for the TUN";
}

TEST(NodeLife, TheGatewaySaysGoodbyeAsWell) {
  World world;
  world.connect();
  world.gateway->call([&](Node& node, packet::Output& output) {
    node.close_all(world.now(), output);
    return true;
  });
  world.run(100ms);
  EXPECT_FALSE(world.client->has("gateway"));
}

TEST(NodeLife, AConnectionWithoutAPathIsClosedInSilence) {
  World world;
  world.allocate();
  world.upsert(*world.client, *world.gateway);
  world.client->call([&](Node& node, packet::Output& output) {
    node.close(world.now(), "gateway", output);
    return true;
  });
  EXPECT_EQ(world.client->counted(NodeCounter::goodbyes_sent), 0u);
  EXPECT_EQ(world.client->count(Kind::closed), 1u);
}

TEST(NodeLife, LateMessagesOfAnEndedConnectionCountApart) {
  World world;
  world.connect();
  world.network.set_links_up(world.client_site, false, true);  // the goodbye is lost
  world.client->call([&](Node& node, packet::Output& output) {
    node.close(world.now(), "gateway", output);
    return true;
  });
  world.gateway->call([&](Node& node, packet::Output& output) {
    node.resume(world.now(), output);
    return true;
  });
  world.run(4s);
  EXPECT_GT(world.client->counted(NodeCounter::drop_datagram_stun_straggler), 0u);
  EXPECT_EQ(world.client->counted(NodeCounter::drop_datagram_stun_unknown), 0u);
  world.run(20s);
  EXPECT_GT(world.client->counted(NodeCounter::drop_datagram_stun_unknown), 0u);
  world.client->expect_ledger();
}

TEST(NodeLife, AnExpiredTunnelOfTheClientSaysGoodbyeToAGatewayThatMayBeStuck) {
  World world;
  world.connect();
  // The gateway loses its tunnel but not its ICE credentials: ICE looks healthy while nothing works.
  ConnectionParameters parameters = world.parameters_at(*world.gateway, *world.client);
  parameters.preshared_key = crypto::Key();
  world.gateway->call([&](Node& node, packet::Output& output) { return node.upsert(world.now(), parameters, output); });
  for (int second = 0; second < 40 && world.client->has("gateway"); ++second) {
    world.client->send({wireguard::a_to_b()});
    world.run(1s);
  }
  EXPECT_EQ(reason(*world.client), FailureReason::tunnel_expired);
  EXPECT_EQ(world.client->counted(NodeCounter::failed_tunnel_expired), 1u);
  EXPECT_EQ(world.client->counted(NodeCounter::goodbyes_sent), 1u);
}

TEST(NodeLife, AGoodbyeThatCouldNotBeSentIsNotCounted) {
  World world;
  world.allocate();
  ConnectionParameters parameters = world.parameters_at(*world.gateway, *world.client);
  parameters.preshared_key = crypto::Key();  // a path, and never a session
  world.gateway->call([&](Node& node, packet::Output& output) { return node.upsert(world.now(), parameters, output); });
  world.upsert(*world.client, *world.gateway);
  world.run(2s);
  ASSERT_TRUE(world.client->status("gateway").path.has_value());
  world.client->call([&](Node& node, packet::Output& output) {
    node.close(world.now(), "gateway", output);
    return true;
  });
  EXPECT_EQ(world.client->counted(NodeCounter::goodbyes_sent), 0u);
  EXPECT_EQ(world.client->node->device().counters().get(wireguard::DeviceCounter::unsent_no_session), 1u);
}

TEST(NodeLife, AGatewayDropsPacketsWithoutAPathAClientKeepsThem) {
  World world;
  world.allocate();
  world.upsert(*world.gateway, *world.client);
  world.upsert(*world.client, *world.gateway);
  world.gateway->send({wireguard::b_to_a()});
  world.client->send({wireguard::a_to_b(100, 1), wireguard::a_to_b(100, 2)});
  world.run(2s);
  EXPECT_TRUE(world.client->delivered.empty()) << "a gateway must not start the first handshake";
  ASSERT_EQ(world.gateway->delivered.size(), 2u);
  EXPECT_EQ(world.gateway->delivered[0], wireguard::a_to_b(100, 1)) << "in order";
}

TEST(NodeLife, ResetForgetsInSilenceAndGoesOnWithAnotherKey) {
  World world;
  world.connect();
  crypto::Key key;
  std::ranges::fill(key.mutable_bytes(), std::byte{0x77});
  world.client->call([&](Node& node, packet::Output& output) {
    node.reset(world.now(), key, output);
    return true;
  });
  EXPECT_EQ(world.client->count(Kind::closed), 1u);
  EXPECT_EQ(world.client->counted(NodeCounter::goodbyes_sent), 0u);
  EXPECT_TRUE(world.client->node->relays(world.now()).empty());
  EXPECT_TRUE(world.gateway->has("client"));
  world.run(1s);
  world.client->private_key = key;
  world.client->public_key = crypto::public_key(key);
  world.password_suffix = "x";
  // The relay still knows the socket: 437, removed, allocated again.
  world.client->set_relays({}, world.all_entries(*world.client));
  world.run(500ms);
  EXPECT_EQ(world.upsert(*world.gateway, *world.client), UpsertOutcome::replaced);
  EXPECT_EQ(world.upsert(*world.client, *world.gateway), UpsertOutcome::created);
  world.run(1s);
  EXPECT_TRUE(world.exchange());
}

TEST(NodeIdle, AfterTwentySecondsWithoutAPacket) {
  World world;
  world.connect();
  world.run(19s);
  EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::connected);
  world.run(1500ms);
  EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::idle);
  EXPECT_EQ(world.gateway->status("client").phase, ConnectionPhase::idle);
  world.run(10min);
  EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::idle) << "keepalives and handshakes do not count";
  EXPECT_TRUE(world.exchange());
}

TEST(NodeIdle, EndsWithWhateverWakes) {
  struct Row {
    const char* rule;
    void (*wake)(World&);
    bool client_only;
  };
  const Row rows[] = {
      {"a packet out, and in at the other end", [](World& w) { w.client->send({wireguard::a_to_b()}); }, false},
      {"a packet from the gateway", [](World& w) { w.gateway->send({wireguard::b_to_a()}); }, false},
      {"an upsert [bug]", [](World& w) { w.upsert(*w.client, *w.gateway); }, true},
      {"a candidate of the peer",
       [](World& w) {
         w.client->call([&](Node& node, packet::Output& output) {
           node.add_remote_candidates(w.now(), "gateway",
                                      std::vector<std::string>{"candidate:1 1 udp 1 192.0.2.77 9 typ host"}, output);
           return true;
         });
       },
       true},
      {"a withdrawn candidate of the peer",
       [](World& w) {
         w.client->call([&](Node& node, packet::Output& output) {
           node.invalidate_remote_candidates(
               w.now(), "gateway", std::vector<std::string>{"candidate:1 1 udp 1 192.0.2.77 9 typ host"}, output);
           return true;
         });
       },
       true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    World world;
    world.connect();
    world.run(60s);
    ASSERT_EQ(world.client->status("gateway").phase, ConnectionPhase::idle);
    ASSERT_EQ(world.gateway->status("client").phase, ConnectionPhase::idle);
    world.signalling = false;
    row.wake(world);
    world.run(30ms);
    EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::connected);
    if (!row.client_only) {
      EXPECT_EQ(world.gateway->status("client").phase, ConnectionPhase::connected);
    }
    world.run(19s);
    EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::connected) << "for another twenty seconds";
    world.run(2s);
    EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::idle);
  }
}

TEST(NodeIdle, AnEventThatWakesCountsAlsoWhileActive) {
  World world;
  world.connect();
  world.run(15s);
  world.upsert(*world.client, *world.gateway);
  world.run(10s);
  EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::connected) << "[bug] it idled at 20 s";
}

// A gateway looks for ten minutes. What it used was withdrawn; what is left was never answered yet.
TEST(NodeIdle, NotWhileIceIsStillLooking) {
  World world({.client_nat = sim::Dependence::address_and_port_dependent,
               .gateway_nat = sim::Dependence::address_and_port_dependent});
  world.connect();
  world.run(1s);
  world.signalling = false;
  cut(world);
  world.gateway->set_relays({"relay-1"}, {});
  std::vector<std::string> relayed = world.client->told(Kind::candidates_gathered);
  std::erase_if(relayed, [](const std::string& text) { return text.find("typ relay") == text.npos; });
  world.gateway->call([&](Node& node, packet::Output& output) {
    node.invalidate_remote_candidates(world.now(), "client", relayed, output);
  });
  ASSERT_EQ(world.gateway->status("client").ice, ice::AgentState::checking);
  for (int i = 0; i < 6; ++i) {
    world.run(20s);
    ASSERT_EQ(world.gateway->status("client").ice, ice::AgentState::checking) << i;
    EXPECT_EQ(world.gateway->status("client").phase, ConnectionPhase::connected)
        << "[bug] slow checks would starve what is left, " << i;
  }
}

// The direct way breaks while nobody has anything to say: the client notices, nominates the relayed path, and the
// gateway has to follow without a packet or a candidate that would wake it.
TEST(NodeIdle, ANominationIsAppliedAndIdleModeGoesOn) {
  World world;
  world.connect();
  world.run(60s);
  ASSERT_EQ(world.gateway->status("client").phase, ConnectionPhase::idle);
  ASSERT_NE(world.gateway->status("client").path->kind, PathKind::relayed);
  world.signalling = false;
  world.network.part(world.client_site, world.gateway_site, true);
  const auto is_relayed = [&] { return world.gateway->status("client").path->kind == PathKind::relayed; };
  for (int i = 0; i < 12 && !is_relayed(); ++i) {
    world.client->call([&](Node& node, packet::Output& output) { node.resume(world.now(), output); });
    world.run(5s);
  }
  EXPECT_TRUE(is_relayed()) << "[bug] an idle gateway kept the path that it had";
  EXPECT_EQ(world.gateway->status("client").phase, ConnectionPhase::idle);
  EXPECT_TRUE(world.exchange());
}

}  // namespace
}  // namespace fireline::node
