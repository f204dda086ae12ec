// What happens to running flows of the whole system when a part of it ends, is away, or comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/core/tunnel/whole_system.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;

// Of two gateways of the site the one that serves the client, and the other one.
struct Pair {
  GatewayProgram& serving;
  GatewayProgram& other;
};
Pair connect_to_one_of_two(WholeSystem& system) {
  GatewayProgram& second = system.add_gateway("gw2");
  system.run(1s);
  system.client.station.send({system.client.to("10.20.0.5")});
  EXPECT_TRUE(system.run_until([&] { return system.client.gateway_of("net").has_value(); }));
  system.run(5s);
  if (system.client.gateway_of("net") == second.id()) return {second, system.gateway};
  return {system.gateway, second};
}

TEST(WholeSystemFault, AGatewayThatIsKilledIsReplacedByTheOtherOne) {
  WholeSystem system;
  const auto [serving, other] = connect_to_one_of_two(system);
  const std::size_t tun_changes = system.client.tun_changes;
  serving.kill();
  system.expect_reached(system.client, "10.20.0.5", other, 5s);
  EXPECT_EQ(system.client.tun_changes, tun_changes) << "no route is taken away meanwhile";
  EXPECT_EQ(system.portal.count(portal::PortalCounter::flow_moved), 1u);
  EXPECT_THAT(system.client.take_outcomes(), ElementsAre(FlowOutcome::created, FlowOutcome::created))
      << "without detour";
  EXPECT_TRUE(system.exchange(system.client, "10.20.0.5", other));
}

// Its host is cut off: the portal is told nothing, and believes in it for half a minute more.
TEST(WholeSystemFault, AGatewayThatIsCutOffIsReplacedByTheOtherOne) {
  WholeSystem system;
  const auto [serving, other] = connect_to_one_of_two(system);
  serving.cut_off();
  system.expect_reached(system.client, "10.20.0.5", other, 7s);
  ClientProgram& fresh = system.add_client("robot", "robot");
  ASSERT_TRUE(system.run_until([&] { return fresh.channel.is_joined(); }));
  system.expect_reached(fresh, "10.20.0.5", other, 5s);
}

TEST(WholeSystemFault, FlowsThatAreNewGoToTheOtherGatewayAtOnce) {
  WholeSystem system;
  const auto [serving, other] = connect_to_one_of_two(system);
  serving.kill();
  ClientProgram& fresh = system.add_client("robot", "robot");
  ASSERT_TRUE(system.run_until([&] { return fresh.channel.is_joined(); }));
  system.expect_reached(fresh, "10.20.0.5", other, 3s);
}

TEST(WholeSystemFault, AGatewayThatSaysGoodbyeIsReplacedAtOnce) {
  WholeSystem system;
  const auto [serving, other] = connect_to_one_of_two(system);
  serving.shut_down();
  system.expect_reached(system.client, "10.20.0.5", other, 3s);
}

TEST(WholeSystemFault, AGatewayThatStartsAgainServesItsClientsAgain) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.gateway.kill();
  system.run(500ms);
  system.gateway.start();
  system.expect_reached(system.client, "10.20.0.5", system.gateway, 5s);
  EXPECT_TRUE(system.exchange(system.client, "10.20.0.5", system.gateway));
}

TEST(WholeSystemFault, AClientThatStartsAgainIsServedAgainAtOnce) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.client.kill();
  system.client.start();
  ASSERT_TRUE(system.run_until([&] { return system.client.channel.is_joined(); }));
  system.run(100ms);
  system.expect_reached(system.client, "10.20.0.5", system.gateway, 2s);
}

TEST(WholeSystemFault, AClientThatMovesLogsInWithAnotherKeyAndIsServedAgain) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.client.reset();
  system.expect_reached(system.client, "10.20.0.5", system.gateway, 3s);
  EXPECT_TRUE(system.exchange(system.client, "10.20.0.5", system.gateway));
  EXPECT_EQ(system.gateway.engine->node().connection_count(), 1u) << "the earlier connection is replaced";
}

TEST(WholeSystemFault, HoursWithoutThePortalLeaveTunnelsAlone) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.portal.kill();
  const std::size_t reports = system.client.reports.size();
  for (int minute = 0; minute < 180; ++minute) {
    ASSERT_TRUE(system.exchange(system.client, "10.20.0.5", system.gateway)) << "minute " << minute;
    system.run(1min);
  }
  EXPECT_EQ(system.client.reports.size(), reports) << "the path is the same";
  EXPECT_EQ(system.client.channel.fatal(), "");

  // What is wanted meanwhile waits for the portal.
  system.client.station.send({system.client.to("10.40.0.1")});
  system.portal.start();
  ASSERT_TRUE(system.run_until([&] { return system.client.channel.is_joined(); }, 120s));
  system.run(1s);
  EXPECT_THAT(system.client.take_outcomes(), testing::Contains(FlowOutcome::offline));
  EXPECT_TRUE(system.exchange(system.client, "10.20.0.5", system.gateway));
}

TEST(WholeSystemFault, APortalThatStartsAgainDisturbsNothing) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  const std::size_t reports = system.client.reports.size() + system.gateway.reports.size();
  system.portal.kill();
  system.portal.start();
  ASSERT_TRUE(
      system.run_until([&] { return system.client.channel.is_joined() && system.gateway.channel.is_joined(); }));
  system.run(5s);
  EXPECT_EQ(system.client.reports.size() + system.gateway.reports.size(), reports);
  EXPECT_THAT(system.gateway.grants_of(system.client), ElementsAre("net"));
  EXPECT_TRUE(system.exchange(system.client, "10.20.0.5", system.gateway));
  EXPECT_EQ(system.client.engine->node().relays(system.client.now()).size(), 1u);
}

TEST(WholeSystemFault, ARelayThatIsKilledCostsADirectConnectionNothing) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.relays[0]->kill();
  for (int second = 0; second < 30; ++second) {
    ASSERT_TRUE(system.exchange(system.client, "10.20.0.5", system.gateway)) << "second " << second;
    system.run(1s);
  }
}

TEST(WholeSystemFault, ARelayedConnectionGoesOnThroughTheOtherRelay) {
  WholeSystem system;
  system.add_relay("r2", "203.0.113.2");
  system.run(1s);
  system.network.part(system.client_site, system.gateway_site, true);
  system.connect(system.client, "10.20.0.5", system.gateway);
  for (const auto& relay : system.relays) {
    // Whichever is used: it ends, and comes back as another one.
    relay->kill();
    system.expect_reached(system.client, "10.20.0.5", system.gateway, 10s);
    system.run(10s);
    relay->restart();
    system.run(5s);
  }
  EXPECT_TRUE(system.exchange(system.client, "10.20.0.5", system.gateway));
}

// Two processes with one device id: the later one is served, and the earlier one disturbs it no longer.
TEST(WholeSystemFault, ADeviceThatLogsInTwiceIsServedWhereItCameLast) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  ClientProgram& later = system.add_client("alice.2");
  ASSERT_TRUE(system.run_until([&] { return later.channel.is_joined(); }));
  system.run(100ms);
  system.expect_reached(later, "10.20.0.5", system.gateway, 2s);
  for (int second = 0; second < 60; ++second) {
    if (second % 10 == 0) system.client.station.send({system.client.to("10.20.0.5", 250)});
    ASSERT_TRUE(system.exchange(later, "10.20.0.5", system.gateway)) << "second " << second;
    system.run(1s);
  }
}

}  // namespace
}  // namespace fireline::tunnel
