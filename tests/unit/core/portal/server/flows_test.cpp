// Portal specification 6.4 to 6.6, 6.9, 6.10, 6.12, 7.1 and 7.2, as conversations.
#include <gtest/gtest.h>

#include "core/portal/server/gateway_choice.h"
#include "tests/unit/core/portal/server/portal_world.h"

namespace fireline::portal {
namespace {

using nlohmann::json;

struct Row {
  const char* sentence;
  void (*play)(PortalWorld&);
  Lines expected;
};

// What most conversations begin with.
void ask_first_gateway(PortalWorld& world) {
  world.gateway();
  world.client();
  world.ask("alice", "net");
}

const Row kRows[] = {
    {"the normal flow: authorised by the gateway before the client is told",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.agree("gw1");
     },
     {"gw1 < authorize_flow alice net", "gw1 < ok", "alice < flow_created net gw1"}},
    {"a resource that nobody knows is not found",
     [](PortalWorld& world) {
       world.gateway();
       world.client();
       world.ask("alice", "nothing");
     },
     {"alice < flow_creation_failed nothing not_found"}},
    {"a resource that no policy gives is not found either",
     [](PortalWorld& world) {
       world.gateway();
       world.client();
       world.ask("alice", "dns");
     },
     {"alice < flow_creation_failed dns not_found"}},
    {"no gateway in the resource's site: offline",
     [](PortalWorld& world) {
       world.gateway("gw9", "away");
       world.client();
       world.ask("alice", "net");
     },
     {"alice < flow_creation_failed net offline"}},
    {"a gateway that is connected but has not joined is offline",
     [](PortalWorld& world) {
       EXPECT_EQ(world.connect(Role::gateway, "gw1", "lab"), 101u);
       world.client();
       world.ask("alice", "net");
     },
     {"alice < flow_creation_failed net offline"}},
    {"a gateway two minor versions older does not fit",
     [](PortalWorld& world) {
       world.gateway("gw1", "lab", "", "gateway/1.3.9");
       world.client();
       world.ask("alice", "net");
     },
     {"alice < flow_creation_failed net offline"}},
    {"an unreadable client version fits no gateway",
     [](PortalWorld& world) {
       world.gateway();
       world.client("alice", "alice", "", "headless-client/new");
       world.ask("alice", "net");
     },
     {"alice < flow_creation_failed net offline"}},
    {"an id that is no UUID is answered, and the channel lives",
     [](PortalWorld& world) {
       world.gateway();
       world.client();
       world.say("alice", "create_flow", {{"resource_id", "net"}, {"connected_gateway_ids", json::array()}});
       world.ask("alice", "net");
     },
     {"alice < error unknown_message", "gw1 < authorize_flow alice net"}},
    {"the gateway vanished before its answer: the client hears nothing, and offline once the portal knows",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.close("gw1");
       world.ask("alice", "net");
     },
     {"gw1 < authorize_flow alice net", "alice < flow_creation_failed net offline"}},
    {"the client left before the answer: the gateway's answer is fine and goes nowhere",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.close("alice");
       world.agree("gw1");
     },
     {"gw1 < authorize_flow alice net", "gw1 < ok"}},
    {"the client joined anew in between: the answer for its old connection does not reach the new one",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.client("alice.2", "alice");
       world.agree("gw1");
     },
     {"gw1 < ok"}},
    {"a reference works once",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.agree("gw1");
       static_cast<void>(world.lines());
       world.agree("gw1");
     },
     {"gw1 < error invalid_ref"}},
    {"a reference is worth nothing to another gateway",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       const std::string ref = world.last("gw1").at("payload").at("ref");
       world.gateway("gw2");
       world.say("gw2", "flow_authorized", {{"ref", ref}});
     },
     {"gw2 < error invalid_ref"}},
    {"an answer after half a minute is too late",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.pass(kFlowPatience);
       static_cast<void>(world.lines());
       world.plane->handle_timeout(world.now);
       world.agree("gw1");
     },
     {"gw1 < error invalid_ref"}},
    {"the gateway of before is taken although another one is as good",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       for (const char* name : {"gw2", "gw3", "gw4"}) world.gateway(name);
       for (int i = 0; i < 2; ++i) {
         world.send("gw1", "no frame");
         world.pass(kFlowRepeat);
         world.ask("alice", "net");
       }
     },
     {"gw1 < authorize_flow alice net", "gw1 < authorize_flow alice net"}},
    {"a question that is repeated within a second waits already",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.pass(kFlowRepeat - std::chrono::milliseconds(1));
       world.ask("alice", "net");
     },
     {"gw1 < authorize_flow alice net"}},
    {"that of a client that connects anew is passed on at once",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       static_cast<void>(world.lines());
       world.client("alice.2", "alice");
       world.ask("alice.2", "net");
     },
     {"gw1 < authorize_flow alice net"}},
    {"so it is to a gateway that died and is back, on a new connection that comes before or after the old one's end",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.gateway("gw1.2", "lab", "gw1");
       world.ask("alice", "net");
       world.close("gw1");
       world.close("gw1.2");
       world.gateway("gw1.3", "lab", "gw1");
       world.ask("alice", "net");
     },
     {"gw1.3 < authorize_flow alice net"}},
    {"and one whose answer has come",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.agree("gw1");
       static_cast<void>(world.lines());
       world.ask("alice", "net");
     },
     {"gw1 < authorize_flow alice net"}},
    {"a gateway that the client is connected to is preferred",
     [](PortalWorld& world) {
       for (const char* name : {"gw1", "gw2", "gw3"}) world.gateway(name);
       world.client();
       world.ask("alice", "net", {"gw2"});
       world.ask("alice", "far", {"gw2"});
     },
     {"gw2 < authorize_flow alice net", "gw2 < authorize_flow alice far"}},
    {"before a resource moves to another gateway the client is told to forget it (a baseline client aborts otherwise)",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.agree("gw1");
       world.close("gw1");
       world.gateway("gw2");
       world.ask("alice", "net", {"gw1"});
       world.agree("gw2");
     },
     {"alice < resource_deleted net", "alice < resource_created_or_updated net", "gw2 < authorize_flow alice net",
      "gw2 < ok", "alice < flow_created net gw2"}},
    {"a gateway that was asked and is silent for 1.5 s comes behind another one: it may be cut off",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.gateway("gw2");
       world.pass(kGatewayPatience);
       world.ask("alice", "net", {"gw1"});
     },
     {"alice < resource_deleted net", "alice < resource_created_or_updated net", "gw2 < authorize_flow alice net"}},
    {"and nobody else is sent to it either, until it is heard of",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.gateway("gw2");
       world.pass(kGatewayPatience);
       world.client("robot", "robot");
       world.ask("robot", "net", {"gw1"});
       world.send("gw1", R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})");
       world.ask("robot", "far", {"gw1"});
     },
     {"gw2 < authorize_flow robot net", "gw1 < ok", "gw1 < authorize_flow robot far"}},
    {"however often it is asked meanwhile",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.gateway("gw2");
       world.pass(kFlowRepeat);
       world.ask("alice", "net");
       world.pass(kGatewayPatience - kFlowRepeat);
       world.ask("alice", "far", {"gw1"});
     },
     {"gw1 < authorize_flow alice net", "gw2 < authorize_flow alice far"}},
    {"a gateway that was asked just before may still answer",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.gateway("gw2");
       world.pass(kGatewayPatience - std::chrono::milliseconds(1));
       world.ask("alice", "net");
     },
     {"gw1 < authorize_flow alice net"}},
    {"a gateway that says anything meanwhile is there: it has its reason",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.gateway("gw2");
       world.send("gw1", "no frame");
       world.pass(kGatewayPatience);
       world.ask("alice", "net");
     },
     {"gw1 < authorize_flow alice net"}},
    {"the only gateway is asked again however long it has been silent",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.pass(kGatewayPatience);
       world.ask("alice", "net");
     },
     {"gw1 < authorize_flow alice net", "gw1 < authorize_flow alice net"}},
    {"the answer of a gateway that the client was taken from is fine and goes nowhere",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.gateway("gw2");
       world.pass(kGatewayPatience);
       world.ask("alice", "net");
       static_cast<void>(world.lines());
       world.agree("gw1");
       world.agree("gw2");
     },
     {"gw1 < ok", "gw2 < ok", "alice < flow_created net gw2"}},
    {"the memory outlives the connection while the key stays",
     [](PortalWorld& world) {
       world.gateway();
       world.client("alice", "alice", "key");
       world.ask("alice", "net");
       world.close("alice");
       world.close("gw1");
       world.gateway("gw2");
       world.client("alice", "alice", "key");
       world.ask("alice", "net");
     },
     {"alice < resource_deleted net", "alice < resource_created_or_updated net", "gw2 < authorize_flow alice net"}},
    {"a new key is a new process, which knows no gateway",
     [](PortalWorld& world) {
       world.gateway();
       world.client("alice", "alice", "key");
       world.ask("alice", "net");
       world.close("gw1");
       world.gateway("gw2");
       world.client("alice.2", "alice", "other");
       world.ask("alice.2", "net");
     },
     {"gw2 < authorize_flow alice net"}},
    {"a gateway that comes back is told its grants",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.close("gw1");
       EXPECT_EQ(world.connect(Role::gateway, "gw1", "lab", "new key"), 101u);
       static_cast<void>(world.lines());
       world.join("gw1");
     },
     {"gw1 < ok", "gw1 < init alice:net", "gw1 < resource_updated net"}},
    {"and so it is after the portal's own restart",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       world.restart();
       EXPECT_EQ(world.connect(Role::gateway, "gw1", "lab"), 101u);
       world.join("gw1");
     },
     {"gw1 < ok", "gw1 < init alice:net", "gw1 < resource_updated net"}},
    {"candidates go to those who are there, with the sender in, the others are left out",
     [](PortalWorld& world) {
       world.gateway();
       world.client();
       world.say("alice", "broadcast_ice_candidates",
                 {{"gateway_ids", {policy::id_of("gw1").to_string(), policy::id_of("gw2").to_string()}},
                  {"candidates", {"anything"}}});
       EXPECT_EQ(world.last("gw1").at("payload").at("candidates"), json({"anything"}));
       world.say("gw1", "broadcast_invalidated_ice_candidates",
                 {{"client_ids", {policy::id_of("alice").to_string()}}, {"candidates", json::array()}});
     },
     {"gw1 < ice_candidates alice", "alice < invalidate_ice_candidates gw1"}},
    {"who is named twice is told once, and what is too long for candidates is nobody's",
     [](PortalWorld& world) {
       world.gateway();
       world.client();
       const json twice{policy::id_of("gw1").to_string(), policy::id_of("gw1").to_string()};
       world.say("alice", "broadcast_ice_candidates", {{"gateway_ids", twice}, {"candidates", {"c"}}});
       world.say("alice", "broadcast_ice_candidates",
                 {{"gateway_ids", twice}, {"candidates", {std::string(40'000, 'x')}}});
     },
     {"gw1 < ice_candidates alice", "alice < error unknown_message"}},
    {"who does not read is sent no more candidates, and everything else",
     [](PortalWorld& world) {
       world.gateway();
       world.client();
       world.owe("alice", kCandidatesUnsentMax + 1);
       world.owe("gw1", kCandidatesUnsentMax + 1);
       world.say("alice", "broadcast_ice_candidates",
                 {{"gateway_ids", {policy::id_of("gw1").to_string()}}, {"candidates", {"c"}}});
       world.say("gw1", "broadcast_ice_candidates",
                 {{"client_ids", {policy::id_of("alice").to_string()}}, {"candidates", {"c"}}});
       world.ask("alice", "net");
       world.owe("gw1", kCandidatesUnsentMax);
       world.say("alice", "broadcast_ice_candidates",
                 {{"gateway_ids", {policy::id_of("gw1").to_string()}}, {"candidates", {"c"}}});
     },
     {"gw1 < authorize_flow alice net", "gw1 < ice_candidates alice"}},
    {"a gateway that does not read is asked no more before it has read",
     [](PortalWorld& world) {
       world.gateway();
       world.client();
       world.owe("gw1", kQuestionsUnsentMax + 1);
       world.ask("alice", "net");
       EXPECT_TRUE(world.grants.grants.empty());
       world.owe("gw1", kQuestionsUnsentMax);
       world.ask("alice", "net");
     },
     {"gw1 < authorize_flow alice net"}},
    {"a gateway's candidates follow flow_created when it sends them behind flow_authorized",
     [](PortalWorld& world) {
       ask_first_gateway(world);
       static_cast<void>(world.lines());
       world.agree("gw1");
       world.say("gw1", "broadcast_ice_candidates",
                 {{"client_ids", {policy::id_of("alice").to_string()}}, {"candidates", {"c"}}});
     },
     {"gw1 < ok", "alice < flow_created net gw1", "alice < ice_candidates gw1"}}};

TEST(Flows, Conversations) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    PortalWorld world;
    row.play(world);
    EXPECT_EQ(world.lines(), row.expected);
  }
}

// Both ends get what the other one gets; it stays while the keys do.
TEST(Flows, KeysAndCredentialsAgreeAndStay) {
  PortalWorld world;
  world.gateway();
  world.client();
  world.ask("alice", "net");
  const auto asked = world.last("gw1").at("payload");
  world.agree("gw1");
  const auto told = world.last("alice").at("payload");
  EXPECT_EQ(asked.at("client").at("preshared_key"), told.at("preshared_key"));
  EXPECT_EQ(asked.at("client_ice_credentials"), told.at("client_ice_credentials"));
  EXPECT_EQ(asked.at("gateway_ice_credentials"), told.at("gateway_ice_credentials"));
  EXPECT_EQ(asked.at("client").at("version"), "1.5.5");
  EXPECT_EQ(asked.at("client").at("device_os_name"), "Debian");

  world.client("alice", "alice");
  world.ask("alice", "net");
  EXPECT_EQ(world.last("gw1").at("payload").at("client").at("preshared_key"), told.at("preshared_key"));
  EXPECT_NE(world.last("gw1").at("payload").at("ref"), asked.at("ref"));
  world.client("alice", "alice", "another key");
  world.ask("alice", "net");
  EXPECT_NE(world.last("gw1").at("payload").at("client").at("preshared_key"), told.at("preshared_key"));
}

TEST(Flows, GrantsEndWithTheFirstOfWindowAndToken) {
  policy::Conditions until18;
  const policy::Window window = policy::hours(0, 8, 18);
  until18.windows = policy::WeeklyWindows(std::span(&window, 1));
  struct EndRow {
    const char* sentence;
    bool window;
    std::optional<Timestamp> token;
    Timestamp expected;
  };
  const Timestamp evening = policy::at(0, 18).time_since_epoch().count();
  const EndRow rows[] = {{"nothing ends: a number all the same", false, {}, kFarFuture},
                         {"the window", true, {}, evening},
                         {"the token, before the window", true, evening - 10, evening - 10},
                         {"the window, before the token", true, evening + 10, evening},
                         {"the token alone", false, evening + 10, evening + 10}};
  for (const EndRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    PortalWorld world(policy::document({policy::policy({0}, {0}, row.window ? until18 : policy::Conditions{})}));
    world.store.named("alice").expires = row.token;
    world.gateway();
    world.client();
    world.ask("alice", "net");
    EXPECT_EQ(world.last("gw1").at("payload").at("expires_at"), row.expected);
  }
}

// Baseline gateways do not take the end of a repeated authorize_flow.
TEST(Flows, ALaterEndOfAKnownGrantIsSaidByItself) {
  PortalWorld world;
  world.store.named("alice").expires = policy::at(1).time_since_epoch().count();
  world.gateway();
  world.client();
  world.ask("alice", "net");
  world.store.named("alice").expires = policy::at(2).time_since_epoch().count();
  world.client();
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(),
            (Lines{"gw1 < authorize_flow alice net", "gw1 < access_authorization_expiry_updated alice net"}));
  EXPECT_EQ(world.last("gw1").at("payload").at("expires_at"), policy::at(2).time_since_epoch().count());
  EXPECT_EQ(world.count(PortalCounter::expiry_updated), 1u);
}

// One that reads no patterns would take them for names.
TEST(Flows, AClientThatDoesNotUnderstandAResourceIsNotToldOfIt) {
  const auto events = [](const char* agent) {
    PortalWorld world(policy::document({policy::policy({0}, {0, 1})}));
    world.gateway("gw1", "lab", "", agent[0] == '\0' ? "" : "gateway/1.1.0");
    EXPECT_EQ(world.connect(Role::client, "alice", "alice", "", agent), 101u);
    static_cast<void>(world.lines());
    world.join("alice");
    world.ask("alice", "dns");
    return world.lines();
  };
  EXPECT_EQ(events(""), (Lines{"alice < ok", "alice < init net dns", "gw1 < authorize_flow alice dns"}));
  EXPECT_EQ(events("headless-client/1.1.0"),
            (Lines{"alice < ok", "alice < init net", "alice < flow_creation_failed dns not_found"}));
}

// All grants but `free`, over the named gateway, each of another client.
void fill_grants(PortalWorld& world, const char* gateway, std::size_t free) {
  Grant grant;
  grant.actor = grant.token = policy::id_of("alice");
  for (std::size_t i = world.grants.grants.size() + free; i < kGrantsMax; ++i) {
    world.grants.grants.emplace(GrantKey{.client = policy::id_of("c" + std::to_string(i)),
                                         .resource = policy::id_of("net"),
                                         .gateway = policy::id_of(gateway)},
                                grant);
  }
  world.restart();
}

TEST(Flows, AFullTableOfGrantsForgetsThoseOfGatewaysThatAreAway) {
  PortalWorld world;
  fill_grants(world, "gone", 0);
  world.gateway();
  world.client();
  world.ask("alice", "net");
  EXPECT_EQ(world.lines(), Lines{"gw1 < authorize_flow alice net"});
  EXPECT_LT(world.grants.grants.size(), kGrantsMax);
}

TEST(Flows, AFullTableOfGrantsTakesAClientsOwnOldest) {
  PortalWorld world;
  fill_grants(world, "gw1", 2);
  world.gateway();
  world.gateway("gw2", "away");
  world.client();
  world.ask("alice", "net");
  world.ask("alice", "far", {"gw2"});
  world.pass(kFlowRepeat);
  world.ask("alice", "net");
  static_cast<void>(world.lines());
  world.close("gw2");
  world.gateway("gw2", "away");
  world.client("alice.2", "alice", "another key");
  world.ask("alice.2", "far", {"gw1"});
  EXPECT_EQ(world.lines(), (Lines{"gw2 < reject_access alice far", "gw1 < authorize_flow alice far"}));
  world.pass(kFlowRepeat);
  world.send("gw1", "no frame");
  static_cast<void>(world.lines());
  world.ask("alice.2", "far", {"gw1"});
  EXPECT_EQ(world.lines(), Lines{"gw1 < authorize_flow alice far"}) << "it is in the table";
  world.client("robot", "robot");
  world.ask("robot", "net");
  EXPECT_EQ(world.lines(), Lines{}) << "it has none to give";
  EXPECT_EQ(world.count(PortalCounter::flow_limited), 1u);
}

}  // namespace
}  // namespace fireline::portal
