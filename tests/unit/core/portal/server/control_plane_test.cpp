// Portal specification 6.0, 6.12, 1.9: frames that a server gets, and what it answers.
#include "core/portal/server/control_plane.h"

#include <gtest/gtest.h>

#include "tests/unit/core/portal/server/portal_world.h"

namespace fireline::portal {
namespace {

struct Row {
  const char* sentence;
  const char* frame;
  bool joined;
  Lines expected;
};

const Row kRows[] = {
    {"a heartbeat", R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})", true, {"alice < ok"}},
    {"a heartbeat before the join",
     R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})",
     false,
     {"alice < ok"}},
    {"a second join: the reply, then init, and no phx_close",
     R"({"topic":"client","event":"phx_join","payload":null,"ref":9})",
     true,
     {"alice < ok", "alice < init net far"}},
    {"a join of another topic",
     R"({"topic":"gateway","event":"phx_join","payload":null,"ref":1})",
     true,
     {"alice < error unmatched topic"}},
    {"the own topic before the join",
     R"({"topic":"client","event":"create_flow","payload":{"resource_id":"x","connected_gateway_ids":[]},"ref":1})",
     false,
     {"alice < error unmatched topic"}},
    {"leaving",
     R"({"topic":"client","event":"phx_leave","payload":{},"ref":1})",
     true,
     {"alice < ok", "alice < phx_close"}},
    {"an event that nobody knows",
     R"({"topic":"client","event":"nope","payload":{},"ref":1})",
     true,
     {"alice < error unknown_message"}},
    {"a required field missing",
     R"({"topic":"client","event":"create_flow","payload":{},"ref":1})",
     true,
     {"alice < error unknown_message"}},
    {"a gateway's event from a client",
     R"({"topic":"client","event":"flow_authorized","payload":{"ref":"x"},"ref":1})",
     true,
     {"alice < error unknown_message"}},
    {"half a frame", R"({"topic":"client")", true, {}},
    {"no object", "[]", true, {}},
    {"nothing", "", true, {}},
    {"a key is missing", R"({"topic":"client","event":"phx_join","payload":null})", true, {}},
    {"wrong types", R"({"topic":7,"event":[],"payload":null,"ref":"1"})", true, {}}};

TEST(ControlPlane, FramesAreAnsweredAsPortalSpecification60Says) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    PortalWorld world;
    ASSERT_EQ(world.connect(Role::client, "alice", "alice"), 101u);
    if (row.joined) world.join("alice");
    static_cast<void>(world.lines());
    world.send("alice", row.frame);
    EXPECT_EQ(world.lines(), row.expected);
    world.send("alice", R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})");
    EXPECT_EQ(world.lines(), Lines{"alice < ok"}) << "the connection lives on";
  }
}

TEST(ControlPlane, ReferencesAreEchoedAsNumbers) {
  PortalWorld world;
  world.client();
  world.send("alice", R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":18446744073709551615})");
  EXPECT_EQ(
      world.last("alice").dump(),
      R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":18446744073709551615,"topic":"phoenix"})");
}

TEST(ControlPlane, InitSaysEverything) {
  PortalWorld world;
  world.relay();
  world.client();
  const auto client = world.last("alice").at("payload");
  EXPECT_EQ(client.at("interface").at("ipv4"), "100.64.0.2");
  EXPECT_EQ(client.at("resources").size(), 2u);
  EXPECT_FALSE(client.at("resources").at(0).at("gateway_groups").empty());
  EXPECT_EQ(client.at("relays").size(), 1u);
  world.gateway();
  const auto gateway = world.last("gw1").at("payload");
  EXPECT_EQ(gateway.at("config").dump(), R"({"ipv4_masquerade_enabled":true,"ipv6_masquerade_enabled":true})");
  EXPECT_EQ(gateway.at("account_slug"), "account");
  EXPECT_TRUE(gateway.at("authorizations").empty());
}

TEST(ControlPlane, ARelaysInitIsEmpty) {
  PortalWorld world;
  world.relay();
  EXPECT_EQ(world.last("r1").dump(), R"({"event":"init","payload":{},"ref":null,"topic":"relay"})");
}

// 6.12: nobody is closed, and nothing is delivered twice.
TEST(ControlPlane, TheNewestConnectionOfADeviceWins) {
  PortalWorld world;
  world.gateway();
  world.client("alice", "alice");
  world.client("alice.2", "alice");
  EXPECT_EQ(world.count(PortalCounter::device_superseded), 1u);
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), Lines{}) << "the older one is not served";
  world.send("alice", R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})");
  EXPECT_EQ(world.lines(), Lines{"alice < ok"}) << "but lives";
  world.ask("alice.2", "net");
  world.agree("gw1");
  EXPECT_EQ(world.lines(), (Lines{"gw1 < authorize_flow alice net", "gw1 < ok", "alice.2 < flow_created net gw1"}));
  world.close("alice");
  world.ask("alice.2", "far");
  EXPECT_EQ(world.lines(), Lines{"gw1 < authorize_flow alice far"}) << "the older one's end takes nothing away";
}

TEST(ControlPlane, AGatewayStaysWhenItsOlderConnectionEnds) {
  PortalWorld world;
  world.gateway("gw1", "lab", "key");
  world.gateway("gw1.2", "lab", "key");
  world.close("gw1");
  world.client();
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), Lines{"gw1.2 < authorize_flow alice net"});
}

TEST(ControlPlane, AnOlderConnectionOfADeviceHasItsTurnWhenTheNewerOneEnds) {
  PortalWorld world;
  world.gateway();
  world.client("alice", "alice");
  world.client("alice.2", "alice");
  static_cast<void>(world.lines());
  world.close("alice.2");
  EXPECT_EQ(world.lines(), Lines{"alice closed"}) << "so that its program connects anew";
}

// With the same key the newer one is the same process, and the portal's memory of its gateways holds.
TEST(ControlPlane, AFlowThatASupersededConnectionAskedForReachesNobody) {
  PortalWorld world;
  world.gateway();
  world.client("alice", "alice", "key");
  world.ask("alice", "net");
  world.client("alice.2", "alice", "key");
  world.agree("gw1");
  EXPECT_EQ(world.lines(), Lines{"gw1 < ok"});
}

// One of them may be half-open, and only the other one's program hears of it.
TEST(ControlPlane, AllOlderConnectionsOfADeviceHaveTheirTurnWhenTheNewestEnds) {
  PortalWorld world;
  world.gateway();
  for (const char* name : {"alice", "alice.2", "alice.3"}) world.client(name, "alice");
  world.client("bert", "robot");
  static_cast<void>(world.lines());
  world.close("alice.3");
  EXPECT_EQ(world.lines(), (Lines{"alice closed", "alice.2 closed"}));
}

TEST(ControlPlane, UnknownConnectionsAreIgnored) {
  PortalWorld world;
  world.plane->text(ConnectionId(77), "{}", world.now);
  world.plane->closed(ConnectionId(77), world.now);
  EXPECT_EQ(world.lines(), Lines{});
}

TEST(ControlPlane, StatusSaysWhoIsThere) {
  PortalWorld world;
  world.relay();
  world.gateway();
  world.client();
  world.ask("alice", "net");
  world.pass(std::chrono::seconds(5));
  const auto status = world.plane->status(world.now);
  ASSERT_EQ(status.clients.size(), 1u);
  EXPECT_EQ(status.clients[0].owner, "alice");
  EXPECT_EQ(status.clients[0].agent, "headless-client/1.5.5");
  EXPECT_EQ(status.clients[0].online_seconds, 5u);
  EXPECT_EQ(status.clients[0].grants, 1u);
  ASSERT_EQ(status.gateways.size(), 1u);
  EXPECT_EQ(status.gateways[0].owner, "lab");
  ASSERT_EQ(status.relays.size(), 1u);
  EXPECT_EQ(status.relays[0].addresses, Lines{"203.0.113.1:3478"});
  EXPECT_EQ(status.pending_flows, 1u);
}

TEST(ControlPlane, IdleTimeoutsAreThoseOfThePortalSpecification) {
  EXPECT_EQ(idle_timeout(Role::client), std::chrono::seconds(307));
  EXPECT_EQ(idle_timeout(Role::gateway), std::chrono::seconds(37));
  EXPECT_EQ(idle_timeout(Role::relay), std::chrono::seconds(41));
}

}  // namespace
}  // namespace fireline::portal
