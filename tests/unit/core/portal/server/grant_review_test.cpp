// What a review does with a single grant: whom it leaves alone, which end it stores, and what it tells to whom.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/core/portal/server/portal_world.h"

namespace fireline::portal {
namespace {

using policy::Document;

// Everybody sees net and far (both served by lab, far also by away).
Document changed(void (*change)(Document&)) {
  Document document = policy::document({policy::policy({0}, {0, 3})});
  change(document);
  document.link();
  return document;
}

void until_tuesday(Document& document) {
  document.policies[0].conditions.expires = policy::at(1);
}
const Timestamp kTuesday = policy::at(1).time_since_epoch().count();

void grant_both(PortalWorld& world) {
  world.gateway();
  world.client();
  for (const char* resource : {"net", "far"}) world.ask("alice", resource);
  static_cast<void>(world.lines());
}

Lines lines_of_return(PortalWorld& world, const std::string& gateway, const std::string& token) {
  EXPECT_EQ(world.connect(Role::gateway, gateway, token), 101u);
  static_cast<void>(world.lines());
  world.join(gateway);
  return world.lines();
}

void expect_ends(const PortalWorld& world, Timestamp end) {
  EXPECT_EQ(world.grants.grants.size(), 2u);
  for (const auto& [key, grant] : world.grants.grants) EXPECT_EQ(grant.expires_at, end);
}

TEST(GrantReview, AnEarlierEndIsSaidAndStored) {
  PortalWorld world;
  grant_both(world);
  world.set(changed(until_tuesday));
  EXPECT_EQ(world.last("gw1").at("event"), "access_authorization_expiry_updated");
  EXPECT_EQ(world.last("gw1").at("payload").at("expires_at"), kTuesday);
  expect_ends(world, kTuesday);
}

TEST(GrantReview, AnEarlierEndIsStoredWhileTheGatewayIsAway) {
  PortalWorld world;
  grant_both(world);
  world.close("gw1");
  world.set(changed(until_tuesday));
  expect_ends(world, kTuesday);
}

// The policy would give more time: the token does not.
TEST(GrantReview, AGrantEndsWithItsTokenAlsoWhenTheStoreCannotAnswer) {
  PortalWorld world;
  world.store.named("alice").expires = policy::at(0, 13).time_since_epoch().count();
  grant_both(world);
  world.store.broken = true;
  world.pass(std::chrono::minutes(62));
  EXPECT_TRUE(world.grants.grants.empty());
  const Lines lines = world.lines();
  for (const char* line : {"gw1 < reject_access alice far", "gw1 < reject_access alice net"}) {
    EXPECT_NE(std::ranges::find(lines, line), lines.end()) << line;
  }
}

TEST(GrantReview, AGatewayThatComesBackIsNotGrantedWhatIsOver) {
  PortalWorld world;
  world.store.named("alice").expires = policy::at(0, 13).time_since_epoch().count();
  grant_both(world);
  world.close("gw1");
  world.now.wall += std::chrono::hours(2);
  EXPECT_EQ(lines_of_return(world, "gw1", "lab"),
            (Lines{"gw1 < ok", "gw1 < init", "gw1 < reject_access alice far", "gw1 < reject_access alice net"}));
}

// Its site serves nothing of what another one's grants are about.
TEST(GrantReview, AGatewayThatComesBackEndsNoGrantOfAnother) {
  PortalWorld world;
  grant_both(world);
  EXPECT_EQ(lines_of_return(world, "gw9", "away"), (Lines{"gw9 < ok", "gw9 < init"}));
  EXPECT_EQ(world.grants.grants.size(), 2u);
}

// As earlier portals stored them.
TEST(GrantReview, AGrantOnWhatIsNotKnownToHaveBeenElsewhereStaysUntilItMoves) {
  PortalWorld world;
  grant_both(world);
  for (auto& [key, grant] : world.grants.grants) grant.opened.clear();
  world.restart();
  EXPECT_EQ(lines_of_return(world, "gw1", "lab")[1], "gw1 < init alice:far alice:net");
  world.set(changed([](Document& d) { d.resources[0].network = *Prefix::parse("10.9.0.0/16"); }));
  EXPECT_EQ(world.lines(), Lines{"gw1 < reject_access alice net"});
}

TEST(GrantReview, FiltersOfAResourceAreSaidOnceToAGatewayAndNobodysNotAtAll) {
  PortalWorld world;
  grant_both(world);
  world.client("robot", "robot");
  world.ask("robot", "net");
  static_cast<void>(world.lines());
  world.set(changed([](Document& d) {
    for (const std::size_t place : {0u, 1u}) {
      d.resources[place].filters.filters = {{.protocol = policy::FilterProtocol::icmp}};
    }
  }));
  const Lines lines = world.lines();
  EXPECT_EQ(std::ranges::count(lines, "gw1 < resource_updated net"), 1);
  EXPECT_EQ(std::ranges::count(lines, "gw1 < resource_updated dns"), 0);
}

TEST(GrantReview, AChangeOfThePolicyEndsNoRelaysConnection) {
  PortalWorld world;
  world.relay();
  static_cast<void>(world.lines());
  world.set(changed([](Document& d) { d.policies.clear(); }));
  EXPECT_EQ(world.lines(), Lines{});
}

TEST(GrantReview, WhoJoinsBehindAChangeIsToldWhatHoldsNow) {
  PortalWorld world;
  world.client();
  world.set(changed([](Document& d) { d.resources[0].name = "Network"; }));
  world.client("robot", "robot");
  EXPECT_EQ(world.last("robot").at("payload").at("resources")[0].at("name"), "Network");
}

// It was told to forget the resource, and with it the gateway.
TEST(GrantReview, AResourceThatComesBackIsNotTakenFromItsFormerGateway) {
  PortalWorld world;
  grant_both(world);
  world.set(changed([](Document& d) { d.policies[0].resources = {3}; }));
  world.set(changed([](Document&) {}));
  world.close("gw1");
  world.gateway("gw2");
  static_cast<void>(world.lines());
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), Lines{"gw2 < authorize_flow alice net"});
}

}  // namespace
}  // namespace fireline::portal
