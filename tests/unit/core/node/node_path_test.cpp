// Paths through relays: trains, channels, loss and replacement of relays, moves from one path to another
// (connectivity specification 2.8, 2.10, 3.7, 4.3).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/stun/channel_data.h"
#include "tests/unit/core/node/node_fixture.h"

namespace fireline::node {
namespace {

using Kind = NodeEvent::Kind;
using enum sim::Dependence;

World::Options relayed(std::size_t relays = 1) {
  return {.client_nat = address_and_port_dependent, .gateway_nat = address_and_port_dependent, .relays = relays};
}

std::size_t relay_of(const TestNode& node, const std::string& peer) {
  return static_cast<std::size_t>(node.status(peer).relay.back() - '1');
}

enum class Speech : std::uint8_t {
  both,   // both ends send of their own accord
  echo,   // the client asks, the gateway answers: who hears nothing says nothing
  reply,  // the other way round
};

struct Conversation {
  World& world;
  Speech speech = Speech::both;
  bool client_heard = false;
  bool gateway_heard = false;

  // 20 ms of it; whether packets came through both ways.
  bool turn() {
    if (speech != Speech::reply || client_heard) world.client->send({wireguard::a_to_b()});
    if (speech != Speech::echo || gateway_heard) world.gateway->send({wireguard::b_to_a()});
    world.run(20ms);
    client_heard = !world.client->delivered.empty();
    gateway_heard = !world.gateway->delivered.empty();
    world.client->delivered.clear();
    world.gateway->delivered.clear();
    return client_heard && gateway_heard;
  }
};

// How long no packets came through. What was under way when it began does not count.
Duration outage(Conversation& conversation, Duration limit) {
  const Instant start = conversation.world.queue.now();
  for (;;) {
    const bool through = conversation.turn();
    const Duration time = conversation.world.queue.now() - start;
    if ((through && time > 200ms) || time >= limit) return time;
  }
}
Duration outage(World& world, Duration limit) {
  Conversation conversation{world};
  return outage(conversation, limit);
}

TEST(NodePath, ATrainStaysOneThroughTheRelay) {
  World world(relayed());
  world.connect();
  world.run(1s);
  ASSERT_EQ(world.client->status("gateway").path->kind, PathKind::relayed);
  world.client->trains.clear();
  world.client->keep_sent = true;
  std::vector<Packet> packets;
  for (std::uint8_t i = 0; i < 10; ++i) packets.push_back(wireguard::a_to_b(1000, i));
  world.client->send(packets);
  ASSERT_EQ(world.client->trains, std::vector<std::size_t>{10});
  const sim::Train& train = world.client->sent[0];
  const PathState path = *world.client->status("gateway").path;
  for (std::size_t i = 0; i < train.count(); ++i) {
    const auto data = stun::ChannelDataView::parse(train.datagram(i));
    ASSERT_TRUE(data.has_value());
    EXPECT_EQ(data->channel, path.channel);
    EXPECT_EQ(data->payload.size() + 4, train.datagram(i).size()) << "no padding";
  }
  world.run(100ms);
  EXPECT_EQ(world.gateway->delivered, packets);
  world.gateway->expect_ledger();
}

TEST(NodePath, AFirstCheckThroughTheRelayWaitsForItsChannel) {
  World world(relayed());
  world.connect();
  EXPECT_GT(world.client->counted(NodeCounter::unsent_no_channel), 0u) << "counted as sent by ICE, and repeated";
  EXPECT_EQ(world.client->counted(NodeCounter::unsent_no_buffer), 0u);
  world.client->small.set_limit(0);
  world.run(30s);
  EXPECT_GT(world.client->counted(NodeCounter::unsent_no_buffer), 0u) << "what finds no buffer is counted, too";
  world.client->small.set_limit(SIZE_MAX);
}

TEST(NodePath, MovesFromRelayToDirectByItselfAndSaysSo) {
  World world;
  world.signalling = false;
  world.allocate();
  world.upsert(*world.gateway, *world.client);
  world.upsert(*world.client, *world.gateway);
  const auto tell = [&](TestNode& to, TestNode& from, const char* kind) {
    std::vector<std::string> some;
    for (const auto& text : from.told(Kind::candidates_gathered)) {
      if (text.find(kind) != text.npos) some.push_back(text);
    }
    to.call([&](Node& node, packet::Output& output) {
      node.add_remote_candidates(world.now(), from.id, some, output);
      return true;
    });
  };
  tell(*world.client, *world.gateway, "typ relay");
  tell(*world.gateway, *world.client, "typ relay");
  world.run(1s);
  ASSERT_TRUE(world.exchange());
  ASSERT_EQ(world.client->status("gateway").path->kind, PathKind::relayed);
  world.client->events.clear();
  tell(*world.client, *world.gateway, "typ srflx");
  tell(*world.gateway, *world.client, "typ srflx");
  world.run(1s);
  EXPECT_NE(world.client->status("gateway").path->kind, PathKind::relayed);
  EXPECT_GE(world.client->count(Kind::path_changed), 1u);
  EXPECT_EQ(world.client->count(Kind::established), 0u) << "once";
  EXPECT_TRUE(world.exchange());
}

// Every candidate that the client names takes a channel for 15 minutes. He withdraws them, names others, connects anew.
TEST(NodePath, OneClientCannotUseUpTheChannelsOfTheGatewaysRelay) {
  World world(relayed());
  world.connect();
  const auto name = [&](std::uint16_t first, bool withdraw) {
    std::vector<std::string> some;
    for (std::uint16_t i = 0; i < 64; ++i) {
      some.push_back("candidate:1 1 UDP 1694498815 192.0.2.1 " + std::to_string(first + i) +
                     " typ srflx raddr 0.0.0.0 rport 0");
    }
    world.gateway->call([&](Node& node, packet::Output& output) {
      if (withdraw) {
        node.invalidate_remote_candidates(world.now(), "client", some, output);
      } else {
        node.add_remote_candidates(world.now(), "client", some, output);
      }
      return true;
    });
    world.run(100ms);
  };
  for (std::uint16_t wave = 0; wave < 10; ++wave) {
    if (wave == 5) {
      world.password_suffix = "again";
      ASSERT_EQ(world.upsert(*world.gateway, *world.client), UpsertOutcome::replaced);
      ASSERT_EQ(world.upsert(*world.client, *world.gateway), UpsertOutcome::replaced);
    }
    name(static_cast<std::uint16_t>(1000 + 64 * wave), false);
    name(static_cast<std::uint16_t>(1000 + 64 * wave), true);
  }
  std::size_t channels = 0;
  for (const RelayStatus& relay : world.gateway->node->relays(world.now())) channels += relay.allocation.bound_channels;
  EXPECT_LE(channels, turn::kChannelsPerOwnerMax);
  EXPECT_GE(channels, turn::kChannelsPerOwnerMax - 8) << "what is forbidden was tried";
}

TEST(NodePath, ALostAllocationSuspendsThePathAndPacketsWait) {
  World world(relayed());
  world.connect();
  world.run(1s);
  world.relays[0]->start(false);  // forgets everything
  for (TestNode* node : {world.client.get(), world.gateway.get()}) {
    node->call([&](Node& one, packet::Output& output) {
      one.resume(world.now(), output);
      return true;
    });
  }
  ASSERT_TRUE(world.run_until([&] { return world.client->status("gateway").path_suspended; }, 1s));
  EXPECT_EQ(world.client->counted(NodeCounter::paths_suspended), 1u);
  EXPECT_EQ(world.client->status("gateway").path->channel, 0);
  world.client->trains.clear();
  world.client->send({wireguard::a_to_b(100, 1), wireguard::a_to_b(100, 2), wireguard::a_to_b(100, 3)});
  EXPECT_TRUE(world.client->trains.empty()) << "the number may be another peer's by now";
  ASSERT_TRUE(world.run_until([&] { return world.gateway->delivered.size() == 3; }, 2s));
  EXPECT_EQ(world.gateway->delivered[0], wireguard::a_to_b(100, 1));
  EXPECT_EQ(world.gateway->delivered[2], wireguard::a_to_b(100, 3));
  EXPECT_FALSE(world.client->status("gateway").path_suspended);
}

TEST(NodePath, AnotherRelayIsChosenWhenThePortalTakesOneAway) {
  World world(relayed(2));
  world.connect();
  world.run(1s);
  const std::size_t first = relay_of(*world.client, "gateway");
  world.client->events.clear();
  world.client->set_relays({world.relays[first]->id()}, {});
  EXPECT_EQ(world.client->told(Kind::candidates_invalidated).size(), 1u) << "the relayed one";
  world.run(10ms);
  EXPECT_EQ(relay_of(*world.client, "gateway"), 1 - first);
  EXPECT_EQ(world.client->counted(NodeCounter::relays_chosen_again), 1u);
  EXPECT_LT(outage(world, 5s), 2s);
}

TEST(NodePath, WithoutAnyRelayADirectPathGoesOn) {
  World world({.relays = 2});
  world.connect();
  world.run(1s);
  for (auto& relay : world.relays) relay->set_powered(false);
  for (int second = 0; second < 60; ++second) {
    world.client->send({wireguard::a_to_b()});
    world.gateway->send({wireguard::b_to_a()});
    world.run(1s);
  }
  EXPECT_EQ(world.gateway->delivered.size(), 60u) << "nothing lost";
  EXPECT_EQ(world.client->delivered.size(), 60u);
  EXPECT_EQ(world.client->count(Kind::no_relays_left), 1u) << "told once";
  EXPECT_EQ(world.client->status("gateway").relay, "");
  world.relays[0]->set_powered(true);
  world.client->set_relays({}, world.entries(*world.client, 0));
  world.run(1s);
  EXPECT_EQ(world.client->status("gateway").relay, "relay-1");
  EXPECT_TRUE(world.exchange());
}

TEST(NodePath, ARelayThatComesBackWithOtherCredentialsIsUsedAgain) {
  World world(relayed(1));
  world.connect();
  world.run(1s);
  world.relays[0]->start(true);
  for (TestNode* node : {world.client.get(), world.gateway.get()}) node->set_relays({}, world.all_entries(*node));
  EXPECT_EQ(world.client->status("gateway").relay, "relay-1") << "the connection stays with the id";
  EXPECT_LT(outage(world, 5s), 3s);
}

TEST(NodePath, ARelayWhoseProcessDiesIsReplacedWithinThreeSeconds) {
  World world(relayed(2));
  world.connect();
  world.run(1s);
  ASSERT_TRUE(world.exchange());
  // Both on one relay is the worst case; whichever they chose, both ends have to leave it.
  world.relays[relay_of(*world.client, "gateway")]->kill();
  EXPECT_LT(outage(world, 10s), 3s);
  EXPECT_EQ(world.client->count(Kind::failed), 0u);
}

// The limit is 3 s. What takes its time: a gateway looks after a silent path once a second, the relay is believed dead
// after 0.25 s, the portal passes the new candidate on, the other end may have to notice by then that its relay is dead
// as well, and a first check waits for its channel.
TEST(NodePath, ADeadRelayIsReplacedWithinTwoSecondsWhoseverItIsAndWhoeverSpeaks) {
  for (const Speech speech : {Speech::both, Speech::echo, Speech::reply}) {
    for (const bool of_client : {true, false}) {
      for (int moment = 0; moment < 6; ++moment) {
        SCOPED_TRACE(testing::Message() << "speech " << static_cast<int>(speech) << ", the client's relay " << of_client
                                        << ", moment " << moment);
        World world(relayed(2));
        for (int i = 0; i < moment; ++i) static_cast<void>(world.client->random.u32());  // other relays are chosen
        world.connect();
        Conversation conversation{world, speech};
        for (int i = 0; i < 50 + 8 * moment; ++i) conversation.turn();
        world.relays[relay_of(of_client ? *world.client : *world.gateway, of_client ? "gateway" : "client")]->kill();
        EXPECT_LT(outage(conversation, 10s), 2s);
        EXPECT_EQ(world.client->count(Kind::failed), 0u);
      }
    }
  }
}

TEST(NodePath, ARelayWhoseHostIsGoneIsReplacedWithinEighteenSeconds) {
  World world(relayed(2));
  world.connect();
  world.run(1s);
  world.relays[relay_of(*world.client, "gateway")]->set_powered(false);
  EXPECT_LT(outage(world, 30s), 18s);
  EXPECT_EQ(world.client->count(Kind::failed), 0u);
  EXPECT_GT(world.client->counted(NodeCounter::silences_probed), 0u);
}

TEST(NodePath, BothNatsMayForgetEverything) {
  for (const bool direct : {true, false}) {
    SCOPED_TRACE(direct);
    World world(direct ? World::Options{} : relayed());
    world.connect();
    world.run(1s);
    world.network.reboot_nat(world.client_site);
    world.network.reboot_nat(world.gateway_site);
    EXPECT_LT(outage(world, 30s), 18s);
    EXPECT_EQ(world.client->count(Kind::failed), 0u);
  }
}

// The client's checks come from a new port, which the gateway has to find out by itself.
TEST(NodePath, ANatThatForgetsCostsFourSecondsWhateverItsKindIs) {
  for (const sim::Dependence kind : {endpoint_independent, address_and_port_dependent}) {
    SCOPED_TRACE(kind == endpoint_independent);
    World world({.client_nat = kind});
    world.connect();
    world.run(2s);
    for (int times = 0; times < 3; ++times) {
      SCOPED_TRACE(times);
      ASSERT_NE(world.gateway->status("client").path->kind, PathKind::relayed);
      world.network.reboot_nat(world.client_site);
      EXPECT_LT(outage(world, 30s), 4s);
      world.run(10s);
    }
    EXPECT_EQ(world.client->count(Kind::failed) + world.gateway->count(Kind::failed), 0u);
  }
}

TEST(NodePath, AnIpv4ClientReachesAnIpv6GatewayThroughTheRelay) {
  World world({.v6 = true});
  world.network.attach(world.client->host, world.client_site, IpAddress::parse("10.0.0.4"), std::nullopt);
  world.network.attach(world.gateway->host, world.gateway_site, std::nullopt, IpAddress::parse("2001:db8:7::7"));
  EXPECT_LT(world.connect(), 2s);
  EXPECT_EQ(world.client->status("gateway").path->kind, PathKind::relayed);
}

TEST(NodePath, EveryInstantIsLeftBehind) {
  // run() fails when a timer repeats without progress: an hour with little traffic, through every timer there is.
  World world(relayed(2));
  world.connect();
  for (int i = 0; i < 12; ++i) {
    world.run(5min);
    ASSERT_TRUE(world.exchange(5s)) << i;
  }
  EXPECT_EQ(world.client->count(Kind::failed) + world.gateway->count(Kind::failed), 0u);
  for (const auto& relay : world.relays) {
    EXPECT_FALSE(relay->sent_on_lapsed_channel()) << *relay->sent_on_lapsed_channel();
  }
  world.client->expect_ledger();
  world.gateway->expect_ledger();
}

// Before anything is due: an idle connection's slow checks would be due as soon as it is woken.
TEST(NodePath, ResumeChecksEverythingAtOnce) {
  World world(relayed(2));
  world.connect();
  world.run(2s);
  const ConnectionStatus before = world.client->status("gateway");
  ASSERT_EQ(before.phase, ConnectionPhase::connected);
  ASSERT_GT(before.pairs, 1u);
  const auto checks = world.client->counted(NodeCounter::sent_checks);
  const auto requests = world.client->node->turn_counters().get(turn::TurnCounter::requests);
  world.client->handle_timeout();
  ASSERT_EQ(world.client->counted(NodeCounter::sent_checks), checks);
  world.client->call([&](Node& node, packet::Output& output) {
    node.resume(world.now(), output);
    return true;
  });
  EXPECT_EQ(world.client->counted(NodeCounter::sent_checks), checks + before.pairs);
  EXPECT_EQ(world.client->node->turn_counters().get(turn::TurnCounter::requests), requests + 2) << "one to each relay";
  EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::connected);
}

TEST(NodePath, ResumeWakesAnIdleConnection) {
  World world(relayed());
  world.connect();
  world.run(5min);
  ASSERT_EQ(world.client->status("gateway").phase, ConnectionPhase::idle);
  world.client->call([&](Node& node, packet::Output& output) {
    node.resume(world.now(), output);
    return true;
  });
  EXPECT_EQ(world.client->status("gateway").phase, ConnectionPhase::connected);
}

}  // namespace
}  // namespace fireline::node
