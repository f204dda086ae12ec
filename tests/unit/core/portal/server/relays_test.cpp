// Portal specification 6.2, 6.7, 6.8: which relays peers hear of, and when.
#include <gtest/gtest.h>

#include "core/portal/credentials.h"
#include "tests/unit/core/portal/server/portal_world.h"

namespace fireline::portal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Row {
  const char* sentence;
  void (*play)(PortalWorld&);
  Lines expected;
};

void forget(PortalWorld& world) {
  static_cast<void>(world.lines());
}

const Row kRows[] = {
    {"peers without a relay are told of the first one at once, and of a second one",
     [](PortalWorld& world) {
       world.gateway();
       world.client();
       world.relay("r1", "s1", "203.0.113.1");
       world.relay("r2", "s2", "203.0.113.2");
     },
     {"r1 < ok", "r1 < init", "gw1 < relays_presence gone: there: s1", "alice < relays_presence gone: there: s1",
      "r2 < ok", "r2 < init", "gw1 < relays_presence gone: there: s1 s2",
      "alice < relays_presence gone: there: s1 s2"}},
    {"nobody with two is told of a third",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1");
       world.relay("r2", "s2", "203.0.113.2");
       world.client();
       world.relay("r3", "s3", "203.0.113.3");
     },
     {"r3 < ok", "r3 < init"}},
    {"a relay that is back within 3 s with its secret was never gone",
     [](PortalWorld& world) {
       world.relay();
       world.client();
       forget(world);
       world.close("r1");
       world.pass(milliseconds(2900));
       world.relay();
       world.pass(seconds(60));
     },
     {"r1 < ok", "r1 < init"}},
    {"one that stays away is gone after 3 s",
     [](PortalWorld& world) {
       world.relay();
       world.client();
       forget(world);
       world.close("r1");
       world.pass(seconds(3));
     },
     {"alice < relays_presence gone: s1 there:"}},
    {"another relay takes its place in the same message",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1");
       world.relay("r2", "s2", "203.0.113.2");
       world.client();
       world.relay("r3", "s3", "203.0.113.3");
       forget(world);
       world.close("r1");
       world.pass(seconds(3));
     },
     {"alice < relays_presence gone: s1 there: s2 s3"}},
    {"a restarted relay (same address, new secret) is said at once: the old one gone, the new one there",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1");
       world.client();
       forget(world);
       world.close("r1");
       world.relay("r1.2", "s9", "203.0.113.1");
       world.pass(seconds(60));
     },
     {"r1.2 < ok", "r1.2 < init", "alice < relays_presence gone: s1 there: s9"}},
    {"also while its old connection is still believed alive, which then ends",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1");
       world.client();
       forget(world);
       world.relay("r1.2", "s9", "203.0.113.1");
       world.close("r1");
       world.pass(seconds(60));
     },
     {"r1.2 < ok", "r1.2 < init", "r1 closed", "alice < relays_presence gone: s1 there: s9"}},
    {"a restarted relay that keeps one of its addresses",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1&ipv6=2001:db8::1");
       world.client();
       forget(world);
       world.relay("r1.2", "s9", "203.0.113.2&ipv6=2001:db8::1");
     },
     {"r1.2 < ok", "r1.2 < init", "r1 closed", "alice < relays_presence gone: s1 there: s9 s9"}},
    {"two that live with one address do not take it from each other without end",
     [](PortalWorld& world) {
       world.relay("r1", "s1");
       world.relay("r2", "s2");
       world.close("r1");
       forget(world);
       EXPECT_EQ(world.connect(Role::relay, "r1", "relay", "203.0.113.1"), 503u);
       world.pass(kRelayHold);
       world.relay("r1", "s1");
     },
     {"r1 < ok", "r1 < init", "r2 closed"}},
    {"but one that took the place and is gone again leaves it to its token's next one",
     [](PortalWorld& world) {
       world.relay("r1", "s1");
       world.relay("r1.2", "s2");
       world.close("r1.2");
       forget(world);
       world.relay("r1.3", "s3");
     },
     {"r1.3 < ok", "r1.3 < init"}},
    {"the end of a connection that was replaced takes nothing from its relay's next one",
     [](PortalWorld& world) {
       world.relay("r1", "s1");
       world.relay("r2", "s2");
       world.pass(kRelayHold);
       world.relay("r1.2", "s1");
       world.client();
       world.close("r1");
       world.pass(seconds(60));
     },
     {}},
    {"a relay of another token gets the place when the one that has it is gone, not earlier",
     [](PortalWorld& world) {
       world.relay("r1", "s1");
       world.client();
       forget(world);
       const auto refused = [&world] { return world.connect(Role::relay, "r2", "relay2", "203.0.113.1"); };
       EXPECT_EQ(refused(), 503u);
       world.close("r1");
       world.pass(milliseconds(2900));
       EXPECT_EQ(refused(), 503u) << "it may come back";
       world.relay("r1", "s1");
       world.close("r1");
       world.pass(seconds(3));
       world.relay("r2", "s2", "203.0.113.1", "relay2");
     },
     {"r1 < ok", "r1 < init", "alice < relays_presence gone: s1 there:", "r2 < ok", "r2 < init",
      "alice < relays_presence gone: there: s2"}},
    {"nor does it get one of two addresses, or that of a relay that moves",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1&ipv6=2001:db8::1");
       world.relay("r2", "s2", "203.0.113.2", "relay2");
       forget(world);
       EXPECT_EQ(world.connect(Role::relay, "r2", "relay2", "203.0.113.2&ipv6=2001:db8::1"), 503u);
       EXPECT_EQ(world.connect(Role::relay, "r2", "relay2", "203.0.113.1"), 503u);
     },
     {}},
    {"one of another token that logged in before and joins behind it ends",
     [](PortalWorld& world) {
       EXPECT_EQ(world.connect(Role::relay, "r2", "relay2", "203.0.113.1"), 101u);
       world.relay("r1", "s1");
       world.client();
       forget(world);
       world.say("r2", "phx_join", {{"stamp_secret", "s2"}});
       world.pass(seconds(60));
     },
     {"r2 < ok", "r2 closed"}},
    {"one of another token with its secret ends",
     [](PortalWorld& world) {
       world.relay("r1", "s1");
       world.client();
       forget(world);
       world.relay("r2", "s1", "203.0.113.2", "relay2");
       world.pass(seconds(60));
     },
     {"r2 < ok", "r2 closed"}},
    {"a relay on two connections is there until the last one ends",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1");
       world.relay("r1.2", "s1", "203.0.113.1");
       world.client();
       forget(world);
       world.close("r1");
       world.pass(seconds(60));
     },
     {}},
    {"a join that is repeated changes nothing",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1");
       world.client();
       forget(world);
       world.join("r1");
       world.close("r1");
       world.pass(seconds(3));
     },
     {"r1 < ok", "r1 < init", "alice < relays_presence gone: s1 there:"}},
    {"a peer that joins while the only relay is away for a moment is given it",
     [](PortalWorld& world) {
       world.relay("r1", "s1", "203.0.113.1");
       world.close("r1");
       forget(world);
       world.client();
       EXPECT_EQ(world.last("alice").at("payload").at("relays").size(), 1u);
     },
     {}}};

TEST(Relays, Presence) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    PortalWorld world;
    row.play(world);
    EXPECT_EQ(world.lines(), row.expected);
  }
}

TEST(Relays, TwoOfManyAndTheSameAfterAReconnect) {
  PortalWorld world;
  for (const char* n : {"1", "2", "3", "4", "5"}) {
    world.relay(std::string("r") + n, std::string("s") + n, std::string("203.0.113.") + n);
  }
  world.client();
  const auto first = world.last("alice").at("payload").at("relays");
  EXPECT_EQ(first.size(), kRelaysOffered);
  world.close("alice");
  world.client();
  EXPECT_EQ(world.last("alice").at("payload").at("relays"), first) << "credentials included";
}

TEST(Relays, CredentialsAreThePortalSpecifications) {
  PortalWorld world;
  const Timestamp end = policy::at(1).time_since_epoch().count();
  world.store.named("alice").expires = end;
  world.relay();
  world.client("alice", "alice", "key");
  world.gateway("gw1", "lab", "other key");
  struct End {
    const char* who;
    Timestamp end;
  };
  for (const End& row : {End{"alice", end}, End{"gw1", kFarFuture}}) {
    SCOPED_TRACE(row.who);
    const auto entry = world.last(row.who).at("payload").at("relays").at(0);
    EXPECT_EQ(entry.at("type"), "turn");
    EXPECT_EQ(entry.at("id"), relay_id("s1").to_string());
    EXPECT_EQ(entry.at("addr"), "203.0.113.1:3478");
    EXPECT_TRUE(std::string(entry.at("username")).starts_with(std::to_string(row.end) + ':'));
    EXPECT_EQ(entry.at("expires_at"), row.end);
  }
}

TEST(Relays, AJoinWithoutSecretCrashes) {
  PortalWorld world;
  ASSERT_EQ(world.connect(Role::relay, "r1", "relay", "203.0.113.1"), 101u);
  world.say("r1", "phx_join", nullptr);
  EXPECT_EQ(world.lines(), Lines{"r1 < error join crashed"});
}

TEST(Relays, APlaceIsAnAddressAndAPort) {
  const auto relay = [](const char* name, std::uint16_t port) {
    return KnownRelay{.id = policy::id_of(name), .ipv4 = IpAddress::parse("203.0.113.1"), .ipv6 = {}, .port = port};
  };
  const Instant now(std::chrono::hours(1));
  const Uuid token = policy::id_of("token");
  RelayRoster roster;
  EXPECT_EQ(roster.joined(now, token, relay("r1", 3478), "s1", "r1"), RelayRoster::Change::lack);
  EXPECT_EQ(roster.joined(now, token, relay("r2", 3479), "s2", "r2"), RelayRoster::Change::lack)
      << "another one of that host";
  EXPECT_EQ(roster.joined(now, token, relay("r3", 3479), "s3", "r3"), RelayRoster::Change::at_once);
  EXPECT_TRUE(roster.entries().contains(policy::id_of("r1")));
  EXPECT_FALSE(roster.entries().contains(policy::id_of("r2"))) << "its socket is another one's now";
}

TEST(Relays, BeyondTheLimitTheConnectionEndsAndTriesAgain) {
  PortalWorld world;
  for (std::size_t i = 0; i < kPresentRelaysMax; ++i) {
    world.relay("r" + std::to_string(i), "s" + std::to_string(i), "203.0.113." + std::to_string(i));
  }
  forget(world);
  world.relay("one more", "more", "198.51.100.1");
  EXPECT_EQ(world.lines(), (Lines{"one more < ok", "one more closed"}));
}

}  // namespace
}  // namespace fireline::portal
