// The policy changes, time takes access away, or a token does: what the whole system lets through from then on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/core/policy/times.h"
#include "tests/unit/core/tunnel/whole_system.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;

// Whether the next packet comes out behind the gateway.
bool passes(WholeSystem& system, const std::string& destination = "10.20.0.5") {
  system.gateway.station.delivered.clear();
  system.client.station.send({system.client.to(destination, 77)});
  system.run(200ms);
  return !system.gateway.station.delivered.empty();
}

policy::Document without_net() {
  policy::Document document = whole_document();
  document.policies = {policy::policy({0}, {1, 2, 3})};
  document.link();
  return document;
}

TEST(WholeSystemPolicy, WhatIsTakenAwayIsRefusedWithTheNextPacketAndComesBack) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.client.station.send({system.client.to("10.30.0.1")});  // keeps the connection
  system.run(1s);
  system.portal.set_policy(without_net());
  system.run(100ms);
  EXPECT_EQ(system.portal.count_told("gw1 < reject_access"), 1u);
  EXPECT_THAT(system.gateway.grants_of(system.client), ElementsAre("web"));
  EXPECT_FALSE(passes(system));
  EXPECT_EQ(system.client.count(ClientCounter::drop_tun_no_resource), 1u) << "the client knows as well";

  system.portal.set_policy(whole_document());
  system.run(100ms);
  EXPECT_TRUE(system.reach(system.client, "10.20.0.5", system.gateway).has_value());
}

TEST(WholeSystemPolicy, TheLastGrantTakesTheConnectionWithIt) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.portal.set_policy(without_net());
  system.run(1s);
  EXPECT_EQ(system.gateway.engine->node().connection_count(), 0u);
  EXPECT_EQ(system.client.engine->node().connection_count(), 0u);
  EXPECT_EQ(system.gateway.gone.size(), 1u);
  EXPECT_FALSE(passes(system));
  system.portal.set_policy(whole_document());
  system.run(100ms);
  system.expect_reached(system.client, "10.20.0.5", system.gateway, 1s);
}

TEST(WholeSystemPolicy, FiltersChangeUnderRunningFlows) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  const std::size_t reports = system.client.reports.size();
  policy::Document document = whole_document();
  document.resources[0].filters.filters = {
      {.protocol = policy::FilterProtocol::tcp, .first_port = 22, .last_port = 22}};
  document.link();
  system.portal.set_policy(document);
  system.run(100ms);
  EXPECT_EQ(system.portal.count_told("gw1 < resource_updated"), 1u);
  EXPECT_FALSE(passes(system));
  EXPECT_EQ(system.gateway.count(GatewayCounter::drop_inner_filtered), 1u);
  system.portal.set_policy(whole_document());
  system.run(100ms);
  EXPECT_TRUE(passes(system));
  EXPECT_EQ(system.client.reports.size(), reports) << "the connection is the same";
}

TEST(WholeSystemPolicy, AnAddressThatChangesTakesTheOldOneAway) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  policy::Document document = whole_document();
  document.resources[0].network = Prefix::parse("10.21.0.0/16").value();
  document.link();
  system.portal.set_policy(document);
  system.run(100ms);
  EXPECT_FALSE(passes(system, "10.20.0.5"));
  EXPECT_TRUE(system.reach(system.client, "10.21.0.5", system.gateway).has_value());
  EXPECT_FALSE(passes(system, "10.20.0.5"));
}

TEST(WholeSystemPolicy, AResourceThatMovesToAnotherSiteIsServedThere) {
  WholeSystem system;
  GatewayProgram& away = system.add_gateway("gw2", "away");
  system.run(1s);
  system.connect(system.client, "10.20.0.5", system.gateway);
  policy::Document document = whole_document();
  document.resources[0].sites = {{.id = policy::id_of("away"), .name = "away"}};
  document.link();
  system.portal.set_policy(document);
  system.run(100ms);
  system.expect_reached(system.client, "10.20.0.5", away, 2s);
  EXPECT_THAT(system.gateway.grants_of(system.client), IsEmpty());
}

TEST(WholeSystemPolicy, ARenamedSiteDisturbsNothing) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  const std::size_t reports = system.client.reports.size();
  policy::Document document = whole_document();
  document.sites[0].name = "laboratory";
  for (auto& resource : document.resources) {
    for (auto& site : resource.sites) {
      if (site.name == "lab") site.name = "laboratory";
    }
  }
  document.link();
  system.portal.set_policy(document);
  system.run(1s);
  EXPECT_TRUE(passes(system));
  EXPECT_EQ(system.client.reports.size(), reports);
}

TEST(WholeSystemPolicy, AGrantEndsToTheSecondAndIsAskedForAgain) {
  WholeSystem system;
  const auto end = std::chrono::floor<std::chrono::seconds>(system.client.now().wall) + 60s;
  policy::Document document = whole_document();
  document.policies[0].conditions.expires = end;
  document.link();
  system.portal.set_policy(document);
  system.connect(system.client, "10.20.0.5", system.gateway);
  while (system.client.now().wall + 250ms < end) ASSERT_TRUE(passes(system));
  system.run(250ms);
  EXPECT_FALSE(passes(system)) << "to the second, whoever says so";
  system.run(1s);
  EXPECT_THAT(system.gateway.grants_of(system.client), IsEmpty());
  system.portal.set_policy(whole_document());
  system.run(1s);
  EXPECT_TRUE(system.reach(system.client, "10.20.0.5", system.gateway).has_value());
}

TEST(WholeSystemPolicy, AGatewaysWallClockThatJumpsEndsGrantsAndTheClientAsksAgain) {
  WholeSystem system({.ask_when_prohibited = true});
  const auto end = std::chrono::floor<std::chrono::seconds>(system.client.now().wall) + 3600s;
  policy::Document document = whole_document();
  document.policies[0].conditions.expires = end;
  document.link();
  system.portal.set_policy(document);
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.gateway.station.wall_offset = 2h;
  EXPECT_FALSE(passes(system));
  system.gateway.station.wall_offset = {};
  EXPECT_TRUE(system.reach(system.client, "10.20.0.5", system.gateway).has_value()) << "once its clock is right again";
  system.client.station.wall_offset = -24h;
  EXPECT_TRUE(passes(system)) << "the client's clock decides nothing";
}

TEST(WholeSystemPolicy, ARevokedTokenEndsAccessAndTheProgram) {
  WholeSystem system;
  system.connect(system.client, "10.20.0.5", system.gateway);
  system.portal.revoke("alice");
  system.run(1s);
  EXPECT_FALSE(passes(system));
  EXPECT_THAT(system.gateway.grants_of(system.client), IsEmpty());
  EXPECT_NE(system.client.channel.fatal(), "") << "a login with it is refused for good";
}

TEST(WholeSystemPolicy, AGatewayThatForgotAGrantIsToldAgainBecauseOfItsAnswer) {
  for (const bool asks : {true, false}) {
    SCOPED_TRACE(asks);
    WholeSystem system({.ask_when_prohibited = asks});
    system.connect(system.client, "10.20.0.5", system.gateway);
    system.client.station.send({system.client.to("10.30.0.1")});
    system.run(3s);
    const std::uint64_t asked = system.client.count(ClientCounter::intents_prohibited);
    system.gateway.station.call([&](packet::Output& output) {
      system.gateway.engine->handle(
          system.gateway.now(), portal::RejectAccess{.client = system.client.id(), .resource = policy::id_of("net")},
          output);
    });
    EXPECT_FALSE(passes(system));
    EXPECT_EQ(passes(system), asks);
    EXPECT_EQ(system.client.count(ClientCounter::intents_prohibited) - asked, asks ? 1u : 0u);
  }
}

}  // namespace
}  // namespace fireline::tunnel
