// Flows of the whole system: from an application's first packet to the resource and back, and every refusal on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/wire.h"
#include "core/packet/icmp_error.h"
#include "tests/unit/core/packet/packets.h"
#include "tests/unit/core/tunnel/whole_system.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;

Packet tcp_to(const ClientProgram& client, const std::string& destination, std::uint16_t port) {
  Packet packet = wireguard::tcp_packet(client.engine->status().ipv4.to_string(), destination, 1, 10);
  store_be16(packet, 22, port);  // checksums are not looked at
  return packet;
}

TEST(WholeSystemFlow, TheFirstPacketAsksForAFlowAndIsDelivered) {
  WholeSystem system;
  Packets expected;
  for (std::uint8_t tag = 0; tag < 100; ++tag) {
    expected.push_back(system.client.to("10.20.0.5", tag));
    system.client.station.send({expected.back()});
  }
  EXPECT_THAT(system.gateway.station.delivered, IsEmpty());
  ASSERT_TRUE(system.run_until([&] { return system.gateway.station.delivered.size() == expected.size(); }, 1s));
  EXPECT_EQ(system.gateway.station.delivered, expected) << "once and in their order";
  EXPECT_EQ(system.client.count(ClientCounter::intents), 1u);
  EXPECT_EQ(system.portal.told[0], "gw1 < authorize_flow") << "the gateway agrees before the client is told";
  EXPECT_EQ(system.portal.told[1], "alice < flow_created");
  EXPECT_THAT(system.gateway.grants_of(system.client), ElementsAre("net"));
  EXPECT_EQ(system.client.status_of("net"), Reachability::online);
  EXPECT_TRUE(system.exchange(system.client, "10.20.255.1", system.gateway));
}

TEST(WholeSystemFlow, IPv6OfTheGatewayItselfPassesOnceItIsConnected) {
  WholeSystem system;
  ASSERT_TRUE(system.reach(system.client, "10.20.0.5", system.gateway));
  for (const IpAddress& own : {system.gateway.engine->status().ipv4, system.gateway.engine->status().ipv6}) {
    EXPECT_TRUE(system.exchange(system.client, own.to_string(), system.gateway)) << own.to_string();
  }
}

TEST(WholeSystemFlow, ASecondResourceOfTheSameGatewayNeedsNoSecondConnection) {
  WholeSystem system;
  ASSERT_TRUE(system.reach(system.client, "10.20.0.5", system.gateway));
  system.client.station.send({tcp_to(system.client, "10.30.0.1", 80)});
  EXPECT_TRUE(system.run_until([&] { return system.gateway.station.delivered.size() == 1; }, 1s));
  EXPECT_THAT(system.gateway.grants_of(system.client), ElementsAre("net", "web"));
  EXPECT_EQ(system.client.engine->node().connection_count(), 1u);
  EXPECT_EQ(system.gateway.engine->node().connection_count(), 1u);
  EXPECT_EQ(system.client.engine->node().counters().get(node::NodeCounter::reused), 1u);
}

TEST(WholeSystemFlow, WhatNoFilterPermitsIsAnsweredThroughTheTunnel) {
  WholeSystem system;
  const Packet refused = system.client.to("10.30.0.1");
  system.client.station.send({refused});
  ASSERT_TRUE(system.run_until([&] { return !system.client.station.delivered.empty(); }, 1s));
  EXPECT_THAT(system.gateway.station.delivered, IsEmpty());
  Packet answer(packet::kIcmpErrorBytes);
  const auto bytes = packet::build_icmp_error(packet::IcmpReason::prohibited, 0, IpAddress::parse("10.30.0.1").value(),
                                              refused, answer);
  ASSERT_TRUE(bytes.has_value());
  answer.resize(*bytes);
  EXPECT_EQ(system.client.station.delivered, Packets{answer});
  EXPECT_EQ(system.gateway.count(GatewayCounter::drop_inner_filtered), 1u);

  const Packet permitted = tcp_to(system.client, "10.30.0.1", 80);
  system.client.station.send({permitted, tcp_to(system.client, "10.30.0.1", 81)});
  ASSERT_TRUE(system.run_until([&] { return system.client.station.delivered.size() == 2; }, 1s));
  EXPECT_EQ(system.gateway.station.delivered, Packets{permitted});
}

TEST(WholeSystemFlow, WhatNobodyGrantedNeverLeavesTheClient) {
  WholeSystem system;
  ASSERT_TRUE(system.reach(system.client, "10.20.0.5", system.gateway));
  ClientProgram& other = system.add_client("robot", "robot");
  system.run(1s);
  ASSERT_TRUE(system.reach(other, "10.20.0.5", system.gateway));
  const std::uint64_t before = system.gateway.count(GatewayCounter::inner_packets);
  const struct {
    const char* rule;
    Packet packet;
    ClientCounter counter;
  } kRows[] = {
      {"an address of no resource", system.client.to("192.168.7.7"), ClientCounter::drop_tun_no_resource},
      {"the Internet, which is switched off", system.client.to("192.0.2.9"), ClientCounter::drop_tun_no_resource},
      {"another client's tunnel address", system.client.to(other.engine->status().ipv4.to_string()),
       ClientCounter::drop_tun_no_gateway},
      {"a source that is not its own", other.to("10.20.0.5"), ClientCounter::drop_tun_foreign_source},
      {"multicast", system.client.to("224.0.0.22"), ClientCounter::drop_tun_multicast},
      {"to itself", system.client.to(system.client.engine->status().ipv4.to_string()), ClientCounter::drop_tun_to_self},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    const std::uint64_t counted = system.client.count(row.counter);
    system.client.station.send({row.packet});
    EXPECT_EQ(system.client.count(row.counter) - counted, 1u);
  }
  system.run(1s);
  EXPECT_EQ(system.gateway.count(GatewayCounter::inner_packets), before);
  EXPECT_EQ(system.client.count(ClientCounter::intents), 1u);
}

TEST(WholeSystemFlow, TheInternetResourceReachesPublicAddressesAlone) {
  WholeSystem system;
  system.client.station.call(
      [&](packet::Output& output) { system.client.engine->set_internet_enabled(system.client.now(), true, output); });
  ASSERT_TRUE(system.reach(system.client, "192.0.2.9", system.gateway));
  EXPECT_THAT(system.gateway.grants_of(system.client), ElementsAre("internet"));
  EXPECT_TRUE(system.exchange(system.client, "198.51.100.200", system.gateway));
  for (const std::string refused : {"192.168.1.1", "169.254.169.254", "172.16.0.1", "100.65.0.1"}) {
    SCOPED_TRACE(refused);
    system.client.station.delivered.clear();
    system.gateway.station.delivered.clear();
    system.client.station.send({system.client.to(refused)});
    system.run(200ms);
    EXPECT_THAT(system.gateway.station.delivered, IsEmpty());
    // Tunnel addresses do not leave the client.
    EXPECT_EQ(system.client.station.delivered.size(), refused == "100.65.0.1" ? 0u : 1u);
  }
  // Its own resource goes before.
  ASSERT_TRUE(system.reach(system.client, "10.20.0.5", system.gateway));
  EXPECT_THAT(system.gateway.grants_of(system.client), ElementsAre("internet", "net"));
}

TEST(WholeSystemFlow, ASiteWithoutGatewaysIsOfflineUntilOneComes) {
  WholeSystem system;
  system.client.station.send({system.client.to("10.40.0.1")});
  system.run(1s);
  EXPECT_THAT(system.client.take_outcomes(), ElementsAre(FlowOutcome::offline));
  EXPECT_EQ(system.client.status_of("far"), Reachability::offline);
  EXPECT_EQ(system.client.status_of("net"), Reachability::unknown);
  GatewayProgram& far = system.add_gateway("gw2", "away");
  system.run(1s);
  system.expect_reached(system.client, "10.40.0.1", far, 1s);
  EXPECT_EQ(system.client.status_of("far"), Reachability::online);
}

TEST(WholeSystemFlow, OneGatewayOfASiteServesAllResourcesOfAClient) {
  WholeSystem system;
  for (const char* const name : {"gw2", "gw3", "gw4", "gw5"}) system.add_gateway(name);
  system.run(1s);
  system.client.station.send({system.client.to("10.20.0.5")});
  ASSERT_TRUE(system.run_until([&] { return system.client.gateway_of("net").has_value(); }));
  system.run(1s);
  system.client.station.send({tcp_to(system.client, "10.30.0.1", 80)});
  ASSERT_TRUE(system.run_until([&] { return system.client.gateway_of("web").has_value(); }));
  EXPECT_EQ(system.client.gateway_of("web"), system.client.gateway_of("net"));
}

TEST(WholeSystemFlow, WithoutADirectPathPacketsGoThroughTheRelay) {
  WholeSystem system;
  system.network.part(system.client_site, system.gateway_site, true);
  system.expect_reached(system.client, "10.20.0.5", system.gateway, 2s);
  EXPECT_EQ(system.client.engine->node().status().at(0).path.value().kind, node::PathKind::relayed);
  EXPECT_TRUE(system.exchange(system.client, "10.20.0.5", system.gateway));
}

TEST(WholeSystemFlow, WhatWaitsForRelaysIsDeliveredOnceThereAre) {
  WholeSystem system;
  system.relays[0]->kill();
  system.run(10s);  // departed
  system.client.kill();
  system.client.start();
  system.run(1s);
  const Packet waiting = system.client.to("10.20.0.5", 9);
  system.client.station.send({waiting});
  system.run(5s);
  EXPECT_THAT(system.gateway.station.delivered, IsEmpty());
  EXPECT_THAT(system.gateway.grants[0].outcome, GrantOutcome::no_relays) << "and is left unanswered";
  system.relays[0]->restart();
  system.run(1s);
  // Without traffic nobody asks; with it, the first packet comes before.
  const Packet next = system.client.to("10.20.0.5", 10);
  system.client.station.send({next});
  ASSERT_TRUE(system.run_until([&] { return system.gateway.station.delivered.size() == 2; }, 2s));
  EXPECT_EQ(system.gateway.station.delivered, (Packets{waiting, next}));
}

}  // namespace
}  // namespace fireline::tunnel
