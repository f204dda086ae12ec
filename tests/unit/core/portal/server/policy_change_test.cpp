// Portal specification 6.11, row by row, and the order across peers.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/core/portal/server/portal_world.h"

namespace fireline::portal {
namespace {

using policy::Document;

// Everybody sees net and far (both served by lab, far also by away).
Document before() {
  return policy::document({policy::policy({0}, {0, 3})});
}
Document changed(void (*change)(Document&)) {
  Document document = before();
  change(document);
  document.link();
  return document;
}

struct Row {
  const char* sentence;
  void (*change)(Document&);
  Lines expected;
  const char* agent = "";  // of the client
};

// gw1 in lab; alice holds grants on net and far over it.
const Row kRows[] = {
    {"nothing changed: nothing is said", [](Document&) {}, {}},
    {"DNS servers",
     [](Document& d) { d.dns.servers = {IpAddress::parse("9.9.9.9").value()}; },
     {"alice < config_changed"}},
    {"the search domain", [](Document& d) { d.dns.search_domain = "corp.example"; }, {"alice < config_changed"}},
    {"the account's slug: init for gateways again",
     [](Document& d) { d.account.slug = "other"; },
     {"gw1 < init alice:far alice:net"}},
    {"a resource newly visible",
     [](Document& d) { d.policies[0].resources = {0, 1, 3}; },
     {"alice < resource_created_or_updated dns"}},
    {"a name changed",
     [](Document& d) { d.resources[0].name = "Network"; },
     {"alice < resource_created_or_updated net"}},
    {"a resource no longer visible: the gateway first",
     [](Document& d) { d.policies[0].resources = {3}; },
     {"gw1 < reject_access alice net", "alice < resource_deleted net"}},
    {"filters: once for the gateway, and the client's copy",
     [](Document& d) { d.resources[0].filters.filters = {{.protocol = policy::FilterProtocol::icmp}}; },
     {"gw1 < resource_updated net", "alice < resource_created_or_updated net"}},
    {"the address: grants end, the resource stays",
     [](Document& d) { d.resources[0].network = Prefix::parse("10.9.0.0/16").value(); },
     {"gw1 < reject_access alice net", "alice < resource_created_or_updated net"}},
    {"a site renamed, for a client that takes it",
     [](Document& d) {
       for (auto& resource : d.resources) {
         for (auto& site : resource.sites) {
           if (site.name == "lab") site.name = "Laboratory";
         }
       }
     },
     {"alice < resource_created_or_updated net", "alice < resource_created_or_updated far"}},
    {"a site renamed, for an older client: deletions before, all of them",
     [](Document& d) {
       for (auto& resource : d.resources) {
         for (auto& site : resource.sites) {
           if (site.name == "lab") site.name = "Laboratory";
         }
       }
     },
     {"alice < resource_deleted net", "alice < resource_deleted far", "alice < resource_created_or_updated net",
      "alice < resource_created_or_updated far"},
     "headless-client/1.5.4"},
    {"sites changed, the gateway's among them: its grant ends",
     [](Document& d) { d.resources[3].sites.pop_back(); },
     {"gw1 < reject_access alice far", "alice < resource_deleted far", "alice < resource_created_or_updated far"}},
    {"sites changed, the gateway's stays: its grant stays",
     [](Document& d) { d.resources[3].sites.erase(d.resources[3].sites.begin()); },
     {"alice < resource_deleted far", "alice < resource_created_or_updated far"}},
    {"a condition that ends earlier: the grant's new end",
     [](Document& d) { d.policies[0].conditions.expires = policy::at(1); },
     {"gw1 < access_authorization_expiry_updated alice far", "gw1 < access_authorization_expiry_updated alice net"}},
    {"one of two policies goes: the other one carries the grant, nothing is said",
     [](Document& d) { d.policies[0] = policy::policy({1}, {0, 3}); },
     {}},
    {"the policy is replaced by one that does not hold now",
     [](Document& d) { d.policies[0].conditions.expires = policy::at(0); },
     {"gw1 < reject_access alice far", "gw1 < reject_access alice net", "alice < resource_deleted far",
      "alice < resource_deleted net"}},
    {"a resource that leaves the file",
     [](Document& d) { d.resources.pop_back(), d.policies[0].resources = {0}; },
     {"gw1 < reject_access alice far", "alice < resource_deleted far"}},
    {"an actor that leaves the file: grants first, then the connection",
     [](Document& d) { d.actors.erase(d.actors.begin()); },
     {"gw1 < reject_access alice far", "gw1 < reject_access alice net", "alice < resource_deleted far",
      "alice < resource_deleted net", "alice closed"}}};

void grant_both(PortalWorld& world, const char* agent) {
  world.gateway();
  world.client("alice", "alice", "", agent);
  for (const char* resource : {"net", "far"}) {
    world.ask("alice", resource);
    world.agree("gw1");
  }
  static_cast<void>(world.lines());
}

TEST(PolicyChange, IsSaidAsPortalSpecification611Says) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    PortalWorld world(before());
    grant_both(world, row.agent);
    world.set(changed(row.change));
    EXPECT_EQ(world.lines(), row.expected);
  }
}

// All gateways hear before any client does: who asks anew must not lose the new grant to an old rejection.
TEST(PolicyChange, RejectionsGoBeforeWhatClientsAreTold) {
  PortalWorld world(before());
  world.gateway("gw1");
  world.client("alice", "alice");
  world.client("bert", "robot");
  for (const char* name : {"alice", "bert"}) {
    for (const char* resource : {"net", "far"}) world.ask(name, resource);
  }
  static_cast<void>(world.lines());
  world.set(changed([](Document& d) { d.policies.clear(); }));
  const auto lines = world.lines();
  ASSERT_EQ(lines.size(), 8u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(lines[i].starts_with("gw1 < reject_access")) << lines[i];
  for (std::size_t i = 4; i < 8; ++i) EXPECT_NE(lines[i].find("< resource_deleted"), std::string::npos) << lines[i];
}

// The resource stays with the client, so the portal goes on remembering its gateway.
TEST(PolicyChange, AFlowWhoseGrantWasTakenMeanwhileIsNotCreated) {
  PortalWorld world(before());
  world.gateway();
  world.client();
  world.ask("alice", "net");
  world.set(changed([](Document& d) { d.resources[0].network = Prefix::parse("10.9.0.0/16").value(); }));
  static_cast<void>(world.lines());
  world.agree("gw1");
  EXPECT_EQ(world.lines(), Lines{"gw1 < ok"});
}

// The client was told of the resource anew, and asks before the gateway has answered its first question.
TEST(PolicyChange, AQuestionBehindTheEndOfItsGrantIsNoRepetition) {
  PortalWorld world(before());
  world.gateway();
  world.client();
  world.ask("alice", "net");
  world.set(changed([](Document& d) { d.resources[0].network = Prefix::parse("10.9.0.0/16").value(); }));
  static_cast<void>(world.lines());
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), Lines{"gw1 < authorize_flow alice net"});
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), Lines{}) << "this one is";
}

TEST(PolicyChange, AClientThatIsAwayLosesItsGrantsToo) {
  PortalWorld world(before());
  grant_both(world, "");
  world.close("alice");
  world.set(changed([](Document& d) { d.policies.clear(); }));
  EXPECT_EQ(world.lines(), (Lines{"gw1 < reject_access alice far", "gw1 < reject_access alice net"}));
}

// What gw1 is told when it joins anew.
Lines lines_of_return(PortalWorld& world) {
  EXPECT_EQ(world.connect(Role::gateway, "gw1", "lab"), 101u);
  static_cast<void>(world.lines());
  world.join("gw1");
  return world.lines();
}

TEST(PolicyChange, AGatewayThatIsAwayIsToldWhatRemains) {
  PortalWorld world(before());
  grant_both(world, "");
  world.close("gw1");
  world.set(changed([](Document& d) { d.policies[0].resources = {3}; }));
  EXPECT_EQ(lines_of_return(world),
            (Lines{"gw1 < ok", "gw1 < init alice:far", "gw1 < reject_access alice net", "gw1 < resource_updated far"}));
  world.pass(kToldMemory + std::chrono::seconds(1));
  world.close("gw1");
  EXPECT_EQ(lines_of_return(world), (Lines{"gw1 < ok", "gw1 < init alice:far", "gw1 < resource_updated far"}))
      << "it is told once";
}

// Nothing tells how far what is sent into a connection has come until the gateway is heard again, or is not.
TEST(PolicyChange, AGatewayThatIsToldIntoADeadConnectionIsToldAgain) {
  PortalWorld world(before());
  grant_both(world, "");
  world.set(changed([](Document& d) { d.policies.clear(); }));
  EXPECT_EQ(world.lines(), (Lines{"gw1 < reject_access alice far", "gw1 < reject_access alice net",
                                  "alice < resource_deleted far", "alice < resource_deleted net"}));
  world.set(before());
  world.ask("alice", "far");
  world.pass(std::chrono::seconds(37));
  world.close("gw1");
  EXPECT_EQ(lines_of_return(world),
            (Lines{"gw1 < ok", "gw1 < init alice:far", "gw1 < reject_access alice net", "gw1 < resource_updated far"}))
      << "what it has been granted since is not taken from it";
}

TEST(PolicyChange, AGatewayThatDoesNotReadIsToldLater) {
  PortalWorld world(before());
  grant_both(world, "");
  world.owe("gw1", std::size_t{4} << 20);
  world.set(changed([](Document& d) { d.policies.clear(); }));
  world.pass(std::chrono::seconds(1));
  EXPECT_EQ(world.lines(), (Lines{"alice < resource_deleted far", "alice < resource_deleted net"}));
  world.owe("gw1", 0);
  world.set(before());
  static_cast<void>(world.lines());
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), (Lines{"gw1 < reject_access alice net", "gw1 < authorize_flow alice net"}))
      << "not behind what is granted anew";
  world.pass(kRejectionsEvery);
  EXPECT_EQ(world.lines(), Lines{"gw1 < reject_access alice far"});
  EXPECT_EQ(world.grants.grants.size(), 1u);
}

// A connection may owe 4 MiB.
TEST(PolicyChange, MoreRejectionsThanFitAreToldOneAfterAnother) {
  constexpr std::size_t kMany = 30'000;
  PortalWorld world(before());
  grant_both(world, "");
  const auto [key, grant] = *world.grants.grants.begin();
  world.grants.grants.clear();
  for (std::size_t i = 0; i < kMany; ++i) {
    world.grants.grants.emplace(
        GrantKey{.client = policy::id_of("c" + std::to_string(i)), .resource = key.resource, .gateway = key.gateway},
        grant);
  }
  world.restart();
  world.gateway("gw1", "lab");
  ASSERT_EQ(world.grants.grants.size(), kMany);
  world.set(changed([](Document& d) { d.policies.clear(); }));
  const std::size_t at_once = world.lines().size();
  EXPECT_LT(at_once, kMany);
  EXPECT_GT(at_once, kMany / 2);
  world.pass(kRejectionsEvery);
  EXPECT_EQ(at_once + world.lines().size(), kMany);
  EXPECT_EQ(world.count(PortalCounter::access_rejected), kMany);
}

// Portal specification 4.1: a client that `init` does not name keeps its access.
TEST(PolicyChange, AGatewayThatWasAwayIsToldOfClientsThatLostEverything) {
  PortalWorld world(before());
  grant_both(world, "");
  world.close("gw1");
  world.set(changed([](Document& d) { d.policies.clear(); }));
  EXPECT_EQ(lines_of_return(world),
            (Lines{"gw1 < ok", "gw1 < init", "gw1 < reject_access alice far", "gw1 < reject_access alice net"}));
}

// Whether a grant fits the gateway's site is known when the gateway is there.
TEST(PolicyChange, AGatewayThatWasAwayIsNotGrantedWhatLeftItsSite) {
  const Lines expected{"gw1 < ok", "gw1 < init alice:net", "gw1 < reject_access alice far",
                       "gw1 < resource_updated net"};
  const auto far_elsewhere = [](Document& d) { d.resources[3].sites.pop_back(); };
  PortalWorld world(before());
  grant_both(world, "");
  world.close("gw1");
  world.set(changed(far_elsewhere));
  EXPECT_EQ(lines_of_return(world), expected);

  PortalWorld restarted(before());
  grant_both(restarted, "");
  restarted.document = std::make_shared<Document>(changed(far_elsewhere));
  restarted.restart();
  EXPECT_EQ(lines_of_return(restarted), expected);
}

TEST(PolicyChange, AGatewayThatIsAwayIsToldTheFiltersThatItMissed) {
  PortalWorld world(before());
  grant_both(world, "");
  world.close("gw1");
  world.set(
      changed([](Document& d) { d.resources[0].filters.filters = {{.protocol = policy::FilterProtocol::icmp}}; }));
  const Lines lines = lines_of_return(world);
  EXPECT_NE(std::ranges::find(lines, "gw1 < resource_updated net"), lines.end());
}

TEST(PolicyChange, APortalThatWasAwayEndsGrantsOnWhatIsElsewhereNow) {
  PortalWorld world(before());
  grant_both(world, "");
  world.document =
      std::make_shared<Document>(changed([](Document& d) { d.resources[0].network = *Prefix::parse("10.9.0.0/16"); }));
  world.restart();
  EXPECT_EQ(lines_of_return(world),
            (Lines{"gw1 < ok", "gw1 < init alice:far", "gw1 < reject_access alice net", "gw1 < resource_updated far"}));
}

// 6.4: a condition on the source holds for the client's present connection.
TEST(PolicyChange, AClientThatComesBackFromElsewhereLosesWhatThatForbids) {
  policy::Conditions office;
  office.sources = {*Prefix::parse("192.0.2.0/24")};
  PortalWorld world(policy::document({policy::policy({0}, {0}, office), policy::policy({0}, {3})}));
  world.gateway();
  world.client();
  world.ask("alice", "net");
  world.agree("gw1");
  world.close("alice");
  world.source = "198.51.100.1";
  ASSERT_EQ(world.connect(Role::client, "alice", "alice"), 101u);
  static_cast<void>(world.lines());
  world.join("alice");
  const Lines lines = world.lines();
  EXPECT_NE(std::ranges::find(lines, "gw1 < reject_access alice net"), lines.end());
}

TEST(PolicyChange, ATimeBeyondTheClocksRangeIsNotWaitedFor) {
  PortalWorld world(before());
  world.set(changed([](Document& d) {
    d.policies[0].conditions.expires = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);
  }));
  EXPECT_EQ(world.plane->poll_timeout(), world.now.boot + kReviewEvery);
}

TEST(PolicyChange, APortalThatWasAwayFindsWhatChangedMeanwhile) {
  PortalWorld world(before());
  grant_both(world, "");
  world.document = std::make_shared<Document>(changed([](Document& d) { d.policies[0].resources = {3}; }));
  world.restart();
  EXPECT_EQ(lines_of_return(world),
            (Lines{"gw1 < ok", "gw1 < init alice:far", "gw1 < reject_access alice net", "gw1 < resource_updated far"}));
}

// 6.4, 6.10: at the window's end the grant ends, and the client's list follows at that second.
TEST(PolicyChange, TimeWindows) {
  policy::Conditions office;
  const policy::Window window = policy::hours(0, 8, 18);
  office.windows = policy::WeeklyWindows(std::span(&window, 1));
  PortalWorld world(policy::document({policy::policy({0}, {0}, office), policy::policy({0}, {3})}));
  world.gateway();
  world.client();
  world.ask("alice", "net");
  world.agree("gw1");
  static_cast<void>(world.lines());
  world.pass(std::chrono::hours(6) - std::chrono::seconds(1));
  EXPECT_EQ(world.lines(), Lines{});
  world.pass(std::chrono::seconds(1));
  EXPECT_EQ(world.lines(), (Lines{"gw1 < reject_access alice net", "alice < resource_deleted net"}));
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), Lines{"alice < flow_creation_failed net forbidden"});
  EXPECT_EQ(world.last("alice").at("payload").at("violated_properties"), nlohmann::json({"current_utc_datetime"}));
  EXPECT_TRUE(world.grants.grants.empty());
  world.pass(std::chrono::hours(24 * 7 - 10));
  EXPECT_EQ(world.lines(), Lines{"alice < resource_created_or_updated net"});
}

TEST(PolicyChange, AnEndBetweenTwoReviewsIsSeenAtItsSecond) {
  PortalWorld world(
      changed([](Document& d) { d.policies[0].conditions.expires = policy::at(0, 12) + std::chrono::seconds(30); }));
  world.client();
  world.pass(std::chrono::seconds(29));
  EXPECT_EQ(world.lines(), Lines{});
  world.pass(std::chrono::seconds(1));
  EXPECT_EQ(world.lines(), (Lines{"alice < resource_deleted far", "alice < resource_deleted net"}));
}

// The wall clock jumps past a window's end: it is seen at the next review.
TEST(PolicyChange, AJumpOfTheWallClockIsSeenWithinAMinute) {
  PortalWorld world(changed([](Document& d) { d.policies[0].conditions.expires = policy::at(3); }));
  world.client();
  world.now.wall += std::chrono::hours(24 * 4);
  world.pass(kReviewEvery);
  EXPECT_EQ(world.lines(), (Lines{"alice < resource_deleted far", "alice < resource_deleted net"}));
}

// What the portal no longer knows it could not revoke any more, and the gateway's clock may be the right one.
TEST(PolicyChange, AGrantThatIsOverByAWrongClockIsTakenFromTheGateway) {
  PortalWorld world(changed([](Document& d) { d.policies[0].conditions.expires = policy::at(3); }));
  grant_both(world, "");
  world.now.wall += std::chrono::hours(24 * 4);
  world.pass(kReviewEvery);
  EXPECT_TRUE(world.grants.grants.empty());
  const Lines lines = world.lines();
  for (const char* line : {"gw1 < reject_access alice far", "gw1 < reject_access alice net"}) {
    EXPECT_NE(std::ranges::find(lines, line), lines.end()) << line;
  }
}

TEST(PolicyChange, ARevokedTokenEndsConnectionsAndGrants) {
  PortalWorld world(before());
  grant_both(world, "");
  world.store.named("alice").revoked = 1;
  world.plane->tokens_changed(world.now);
  EXPECT_EQ(world.lines(), (Lines{"gw1 < reject_access alice far", "gw1 < reject_access alice net", "alice closed"}));
}

// Read before the connection was closed.
TEST(PolicyChange, WhatARevokedTokenStillSaysIsNotHeard) {
  PortalWorld world(before());
  world.gateway();
  world.client();
  world.store.named("alice").revoked = 1;
  world.plane->tokens_changed(world.now);
  EXPECT_EQ(world.lines(), Lines{"alice closed"});
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), Lines{});
  EXPECT_TRUE(world.grants.grants.empty());
}

TEST(PolicyChange, AnExpiredTokenEndsTheConnectionWithinAMinute) {
  PortalWorld world(before());
  world.store.named("alice").expires = policy::at(0, 13).time_since_epoch().count();
  world.client();
  world.pass(std::chrono::minutes(59));
  EXPECT_EQ(world.lines(), Lines{});
  world.pass(std::chrono::minutes(2));
  EXPECT_EQ(world.lines(), Lines{"alice closed"});
}

// No policy ends it, so each review finds the token's end again.
TEST(PolicyChange, AGrantKeepsTheEndOfItsToken) {
  PortalWorld world(before());
  const Timestamp end = policy::at(1).time_since_epoch().count();
  world.store.named("alice").expires = end;
  grant_both(world, "");
  world.pass(2 * kReviewEvery);
  world.set(changed([](Document& d) { d.dns.search_domain = "corp.example"; }));
  EXPECT_EQ(world.lines(), Lines{"alice < config_changed"});
  ASSERT_EQ(world.grants.grants.size(), 2u);
  for (const auto& [key, grant] : world.grants.grants) EXPECT_EQ(grant.expires_at, end);
}

// The device's addresses and keys belong to the account that it was registered with.
TEST(PolicyChange, AnotherAccountEndsEveryConnection) {
  PortalWorld world(before());
  grant_both(world, "");
  world.set(changed([](Document& d) { d.account.id = policy::id_of("another account"); }));
  const Lines lines = world.lines();
  for (const char* line : {"alice closed", "gw1 closed"}) {
    EXPECT_NE(std::ranges::find(lines, line), lines.end()) << line;
  }
}

TEST(PolicyChange, AStoreThatFailsEndsNothing) {
  PortalWorld world(before());
  grant_both(world, "");
  world.store.broken = true;
  world.plane->tokens_changed(world.now);
  EXPECT_EQ(world.lines(), Lines{});
}

// However many resources there are.
TEST(PolicyChange, OneChangeIsOneMessageForEachClient) {
  const auto large = [](const char* name) {
    Document document = before();
    for (int i = 0; i < 100; ++i) {
      document.resources.push_back(policy::network("r" + std::to_string(i), "10.1.0.0/16"));
      document.policies[0].resources.push_back(document.resources.size() - 1);
    }
    document.resources.back().name = name;
    document.link();
    return document;
  };
  PortalWorld world(large("before"));
  for (int i = 0; i < 20; ++i) world.client("c" + std::to_string(i), "alice");
  world.set(large("after"));
  EXPECT_EQ(world.lines().size(), 20u);
}

}  // namespace
}  // namespace fireline::portal
