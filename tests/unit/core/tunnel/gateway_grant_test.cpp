// Grants of a gateway with its node: given, renewed, expired, revoked, listed anew; and what becomes of connections.
// Tunnel specification 5.1, portal specification 4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/core/tunnel/gateway_world.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const policy::GatewayResource kNet = network_behind(1, "10.0.0.0/8");
const policy::GatewayResource kOther = network_behind(2, "172.16.0.0/12");

// Whether the next packet to that address comes out.
bool passes(GatewayWorld& world, std::uint8_t client = 10, const std::string& destination = "10.0.0.5") {
  world.station.delivered.clear();
  world.clients.at(client)->station.send({world.from_client(client, destination)});
  world.run(100ms);
  return !world.station.delivered.empty();
}
// The other way.
bool is_reached(GatewayWorld& world, std::uint8_t client = 10, const std::string& source = "10.0.0.5") {
  Packets& delivered = world.clients.at(client)->station.delivered;
  delivered.clear();
  world.station.send({world.to_client(client, source)});
  world.run(100ms);
  return !delivered.empty();
}

TEST(GatewayGrant, WhatIsAnsweredAndWhatIsNot) {
  const struct {
    const char* rule;
    void (*change)(GatewayWorld&, portal::AuthorizeFlow&);
    GrantOutcome outcome;
    GatewayCounter counter;
  } kRows[] = {
      {"a flow", [](GatewayWorld&, portal::AuthorizeFlow&) {}, GrantOutcome::granted, GatewayCounter::granted},
      {"the same flow again",
       [](GatewayWorld& world, portal::AuthorizeFlow& flow) {
         world.handle(flow);
         world.events.clear();
       },
       GrantOutcome::granted, GatewayCounter::granted_again},
      {"a client address that is no tunnel address",
       [](GatewayWorld&, portal::AuthorizeFlow& flow) { flow.client_ipv4 = ip("10.0.0.1"); }, GrantOutcome::bad_request,
       GatewayCounter::refused_bad_request},
      {"client addresses the wrong way round",
       [](GatewayWorld&, portal::AuthorizeFlow& flow) { std::swap(flow.client_ipv4, flow.client_ipv6); },
       GrantOutcome::bad_request, GatewayCounter::refused_bad_request},
      {"ICE credentials that are none",
       [](GatewayWorld&, portal::AuthorizeFlow& flow) { flow.client_ice.password.clear(); }, GrantOutcome::bad_request,
       GatewayCounter::refused_bad_request},
      {"a resource that the client holds as another kind",
       [](GatewayWorld& world, portal::AuthorizeFlow& flow) {
         world.handle(world.request(10, internet_behind(1)));
         world.events.clear();
         flow.resource = kNet;
       },
       GrantOutcome::kind_changed, GatewayCounter::refused_kind_changed},
      {"no relays are known",
       [](GatewayWorld& world, portal::AuthorizeFlow&) {
         world.handle(portal::RelaysPresence{.disconnected_ids = {"relay"}, .connected = {}});
         world.run(kRelayAsksForgotten);
         world.events.clear();
       },
       GrantOutcome::no_relays, GatewayCounter::refused_no_relays},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    GatewayWorld world;
    portal::AuthorizeFlow flow = world.request(10, kNet);
    row.change(world, flow);
    const std::uint64_t counted = world.count(row.counter);
    world.handle(flow);
    EXPECT_EQ(world.count(row.counter) - counted, 1u);
    std::vector<std::string> answers;
    std::vector<GrantOutcome> outcomes;
    bool wanted = false;
    for (const GatewayEvent& event : world.events) {
      if (const auto* answer = std::get_if<portal::FlowAuthorized>(&event)) answers.push_back(answer->ref);
      if (const auto* report = std::get_if<GrantReport>(&event)) outcomes.push_back(report->outcome);
      wanted |= std::holds_alternative<RelaysWanted>(event);
    }
    EXPECT_THAT(outcomes, ElementsAre(row.outcome));
    EXPECT_THAT(answers, SizeIs(row.outcome == GrantOutcome::granted ? 1u : 0u)) << "what is wrong is left unanswered";
    EXPECT_EQ(wanted, row.outcome == GrantOutcome::no_relays);
  }
}

TEST(GatewayGrant, BeforeTheFirstInitNothingIsGranted) {
  GatewayWorld world(false);
  world.handle(world.request(10, kNet));
  ASSERT_THAT(world.events, SizeIs(1));
  EXPECT_EQ(std::get<GrantReport>(world.events[0]).outcome, GrantOutcome::no_interface);
  EXPECT_EQ(world.count(GatewayCounter::refused_no_interface), 1u);
}

TEST(GatewayGrant, TheAnswerStandsBeforeTheCandidates) {
  GatewayWorld world;
  world.station.call([&](packet::Output& output) {
    world.gateway->handle(world.now(), world.request(10, kNet), output);
    const auto first = world.gateway->poll_event();
    ASSERT_TRUE(first.has_value());
    EXPECT_TRUE(std::holds_alternative<portal::FlowAuthorized>(*first));
  });
}

TEST(GatewayGrant, ARevocationHoldsForTheNextPacketBothWays) {
  GatewayWorld world;
  world.connect(10, kNet);
  world.authorize(10, kOther);
  ASSERT_TRUE(passes(world));
  ASSERT_TRUE(is_reached(world));
  world.handle(portal::RejectAccess{.client = world.client_id(10), .resource = kNet.id});
  EXPECT_FALSE(passes(world));
  EXPECT_FALSE(is_reached(world));
  EXPECT_TRUE(passes(world, 10, "172.16.0.1")) << "the other one stays";
  world.authorize(10, kNet);
  EXPECT_TRUE(passes(world));
  EXPECT_TRUE(is_reached(world));
}

// Packets are planned, somebody opens them, and meanwhile the portal speaks.
TEST(GatewayGrant, ARevocationHoldsForPacketsThatAreBeingOpened) {
  const struct {
    const char* rule;
    portal::PortalToGateway (*message)(const GatewayWorld&);
    GatewayCounter counter;
  } kRows[] = {
      {"the grant is rejected",
       [](const GatewayWorld& world) -> portal::PortalToGateway {
         return portal::RejectAccess{.client = world.client_id(10), .resource = kNet.id};
       },
       GatewayCounter::drop_inner_not_granted},
      {"its end was a second ago",
       [](const GatewayWorld& world) -> portal::PortalToGateway {
         return portal::AuthorizationExpiryUpdated{world.client_id(10), kNet.id, world.in(-1s)};
       },
       GatewayCounter::drop_inner_not_granted},
      {"its filters permit something else",
       [](const GatewayWorld&) -> portal::PortalToGateway {
         return portal::ResourceUpdated{network_behind(1, "10.0.0.0/8", {{.protocol = policy::FilterProtocol::tcp}})};
       },
       GatewayCounter::drop_inner_filtered},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    GatewayWorld world;
    world.connect(10, kNet);
    world.authorize(10, kOther);
    ASSERT_TRUE(passes(world)) << "the verdict is remembered";
    const std::uint64_t counted = world.count(row.counter);
    bool told = false;
    world.station.before_commit = [&](const packet::Work& work) {
      if (work.jobs.empty() || std::exchange(told, true)) return;
      world.gateway->handle(world.now(), row.message(world), world.station.output);
    };
    EXPECT_FALSE(passes(world));
    EXPECT_TRUE(told);
    EXPECT_EQ(world.count(row.counter) - counted, 1u);
    EXPECT_TRUE(passes(world, 10, "172.16.0.1")) << "the other one stays";
  }
}

TEST(GatewayGrant, TheLastRevocationEndsTheConnectionWithAGoodbye) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, kNet);
  world.handle(portal::RejectAccess{.client = world.client_id(10), .resource = kNet.id});
  EXPECT_EQ(world.gateway->node().connection_count(), 0u);
  const auto gone = world.take<ClientGone>();
  ASSERT_THAT(gone, SizeIs(1));
  EXPECT_EQ(gone[0].reason, GrantEnd::rejected);
  world.run(100ms);
  EXPECT_EQ(client.closed, 1u);
}

TEST(GatewayGrant, ExpiryIsToTheSecond) {
  GatewayWorld world;
  const portal::Timestamp timestamp = world.in(10s);
  const UnixTime end{std::chrono::seconds(timestamp)};
  world.connect(10, kNet, timestamp);
  while (world.now().wall + 100ms < end) ASSERT_TRUE(passes(world));
  world.run(end - world.now().wall);
  EXPECT_FALSE(passes(world)) << "from that second on";
}

TEST(GatewayGrant, TheTickFindsWhatHasExpired) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, kNet, world.in(10s));
  world.run(8s);
  EXPECT_EQ(world.grants_of(10), 1u);
  world.run(4s);
  EXPECT_EQ(world.grants_of(10), 0u) << "nobody sent anything";
  EXPECT_EQ(world.count(GatewayCounter::expired), 1u);
  EXPECT_EQ(client.closed, 1u);
}

TEST(GatewayGrant, ExpiryIsOfEachResource) {
  GatewayWorld world;
  world.connect(10, network_behind(1, "10.0.0.0/8"), world.in(5s));
  world.authorize(10, network_behind(2, "10.0.0.0/16", {{.protocol = policy::FilterProtocol::icmp}}));
  EXPECT_TRUE(passes(world, 10, "10.0.0.5")) << "the union of both filters";
  world.run(6s);
  EXPECT_FALSE(passes(world, 10, "10.0.0.5")) << "what is left does not permit it";
  EXPECT_EQ(world.grants_of(10), 1u);
}

TEST(GatewayGrant, WhatAnotherAuthorisationChanges) {
  GatewayWorld world;
  world.connect(10, network_behind(1, "10.0.0.0/8"), world.in(5s));
  // The new network, the new filters, and the new end.
  world.authorize(10, network_behind(1, "172.16.0.0/12", {{.protocol = policy::FilterProtocol::udp}}));
  EXPECT_FALSE(passes(world, 10, "10.0.0.5"));
  EXPECT_TRUE(passes(world, 10, "172.16.0.5"));
  world.run(10s);
  EXPECT_TRUE(passes(world, 10, "172.16.0.5"));
  EXPECT_EQ(world.grants_of(10), 1u);
}

TEST(GatewayGrant, TheEndOfAGrantMovesBothWays) {
  GatewayWorld world;
  world.connect(10, kNet, world.in(5s));
  world.handle(portal::AuthorizationExpiryUpdated{world.client_id(10), kNet.id, world.in(60s)});
  world.run(10s);
  EXPECT_TRUE(passes(world));
  world.handle(portal::AuthorizationExpiryUpdated{world.client_id(10), kNet.id, world.in(-1s)});
  EXPECT_FALSE(passes(world));
}

TEST(GatewayGrant, FiltersChangeForEveryClient) {
  GatewayWorld world;
  world.connect(10, kNet);
  world.connect(11, kNet);
  world.handle(portal::ResourceUpdated{network_behind(1, "10.0.0.0/8", {{.protocol = policy::FilterProtocol::tcp}})});
  EXPECT_FALSE(passes(world, 10));
  EXPECT_FALSE(passes(world, 11));
  world.handle(portal::ResourceUpdated{kNet});
  EXPECT_TRUE(passes(world, 10));
  EXPECT_TRUE(passes(world, 11));
}

TEST(GatewayGrant, AFurtherInitKeepsWhatItLists) {
  const struct {
    const char* rule;
    bool has_list;
    bool lists_net;
    bool passes_net;
    std::size_t grants;
  } kRows[] = {
      {"an init without a list changes nothing", false, false, true, 2},
      {"an empty list revokes everything, of clients that it does not name as well", true, false, false, 0},
      {"what it lists stays", true, true, true, 1},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    GatewayWorld world;
    world.connect(10, kNet);
    world.authorize(10, kOther);
    world.connect(11, kNet);
    std::optional<std::vector<portal::Authorization>> list;
    if (row.has_list) list.emplace();
    if (row.lists_net) list->push_back({world.client_id(10), kNet.id, world.in(3600s)});
    const std::size_t connections = world.gateway->node().connection_count();
    world.init(list);
    world.run(500ms);
    EXPECT_EQ(world.grants_of(10), row.grants);
    EXPECT_EQ(world.grants_of(11), row.has_list ? 0u : 1u);
    EXPECT_EQ(passes(world), row.passes_net);
    if (row.has_list) continue;
    EXPECT_EQ(world.gateway->node().connection_count(), connections);
  }
}

TEST(GatewayGrant, GrantsOutliveTheConnection) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, kNet);
  client.station.stop();
  ASSERT_TRUE(world.run_until([&] { return world.gateway->node().connection_count() == 0; }, 10min));
  EXPECT_EQ(world.grants_of(10), 1u);
  world.station.send({world.to_client(10, "10.0.0.5")});
  EXPECT_EQ(world.count(GatewayCounter::drop_tun_not_connected), 1u);
  // The portal asks for another resource: the first one is still held.
  client.start();
  world.run(500ms);
  world.connect(10, kOther);
  EXPECT_TRUE(passes(world, 10, "10.0.0.5"));
  EXPECT_TRUE(passes(world, 10, "172.16.0.5"));
}

TEST(GatewayGrant, AGoodbyeOfTheClientForgetsIt) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, kNet);
  client.station.call([&](packet::Output& output) { client.node->close_all(world.now(), output); });
  world.run(100ms);
  EXPECT_EQ(world.gateway->node().connection_count(), 0u);
  EXPECT_EQ(world.grants_of(10), 0u);
  EXPECT_THAT(world.take<ClientReport>(), SizeIs(1));
}

TEST(GatewayGrant, ShuttingDownSaysGoodbyeToEveryClient) {
  GatewayWorld world;
  PlainClient& first = world.connect(10, kNet);
  PlainClient& second = world.connect(11, kNet);
  world.station.call([&](packet::Output& output) { world.gateway->close_all(world.now(), output); });
  world.run(100ms);
  EXPECT_EQ(first.closed + second.closed, 2u);
  EXPECT_EQ(world.gateway->node().connection_count(), 0u);
}

TEST(GatewayGrant, AClientWithAnothersAddressTakesItsPlace) {
  GatewayWorld world;
  world.connect(10, kNet);
  portal::AuthorizeFlow flow = world.request(11, kNet);
  flow.client_ipv4 = ip(world.own4(10));
  world.handle(flow);
  const auto gone = world.take<ClientGone>();
  ASSERT_THAT(gone, SizeIs(1));
  EXPECT_EQ(gone[0].client, world.client_id(10));
  EXPECT_EQ(gone[0].reason, GrantEnd::displaced);
  EXPECT_EQ(world.grants_of(10), 0u);
  EXPECT_EQ(world.grants_of(11), 1u);
  EXPECT_FALSE(passes(world));
}

TEST(GatewayGrant, AWallClockThatJumpsEndsGrantsAndBringsNoneBack) {
  GatewayWorld world;
  world.connect(10, kNet, world.in(3600s));
  world.authorize(10, kOther);
  world.station.wall_offset = 2h;
  EXPECT_FALSE(passes(world));
  EXPECT_TRUE(passes(world, 10, "172.16.0.1"));
  world.station.wall_offset = {};
  EXPECT_FALSE(passes(world));
  world.station.wall_offset = -100h;
  EXPECT_TRUE(passes(world, 10, "172.16.0.1"));
}

}  // namespace
}  // namespace fireline::tunnel
