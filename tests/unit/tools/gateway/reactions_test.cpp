#include "tools/gateway/reactions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/tools/tunnel/reactions_fixture.h"

namespace fireline::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kAddresses = "addresses 100.70.3.4 fd00:2021:1111::6:304";
constexpr const char* kClient = "11111111-1111-4111-8111-111111111111";
constexpr const char* kResource = "0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11";
constexpr const char* kRelay =
    R"({"type":"turn","id":"7d1c3f0a-52a5-4b7e-9a34-0f6f1a2b3c4d","addr":"203.0.113.50:3478",)"
    R"("username":"1807776000:u","password":"p","expires_at":1807776000})";
// Far behind the time of the tests' clock.
constexpr const char* kEnd = "1799990000";

std::string init_json(const std::string& relays = "", const std::string& authorizations = "") {
  return R"({"interface":{"ipv4":"100.70.3.4","ipv6":"fd00:2021:1111::6:304"},)"
         R"("config":{"ipv4_masquerade_enabled":true,"ipv6_masquerade_enabled":true},"relays":[)" +
         relays + R"(],"authorizations":[)" + authorizations + "]}";
}

// Portal specification 4.1, with keys of its own.
std::string flow_json() {
  return R"({"ref":"cmVm","resource":{"id":")" + std::string(kResource) +
         R"(","type":"cidr","name":"Lab net","address":"172.20.0.0/16","filters":[]},"client":{"id":")" + kClient +
         R"(","public_key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",)"
         R"("preshared_key":"L+N7Izz3OsHh+3isO2AP6kDxwsUFdhIASlaEAeyC9EQ=","ipv4":"100.80.1.2",)"
         R"("ipv6":"fd00:2021:1111::a:102"},"client_ice_credentials":{"username":"w7up",)"
         R"("password":"ksqwm66pilnb7skdwwfw3r"},"gateway_ice_credentials":{"username":"kwe6",)"
         R"("password":"mzkrj52x5h5ebrfdsh5iyq"},"expires_at":)" +
         kEnd + "}";
}

class GatewayReactions : public tunnel::test::ReactionsFixture<tunnel::Gateway> {
 protected:
  GatewayReactions() {
    engine_.on_event = [this](const tunnel::GatewayEvent& event) { reactions_.on_event(event); };
  }

  void say(std::string_view event, std::string_view payload) {
    reactions_.on_message(event, payload);
    engine_.handle_events();
  }
  std::size_t clients() const { return core_.status().clients.size(); }

  Reactions reactions_{{.engine = engine_,
                        .portal = portal_,
                        .host = host_,
                        .fatal = [this](std::string why) { fatal_.push_back(std::move(why)); },
                        .ready = [this] { ++ready_; }}};
};

TEST_F(GatewayReactions, EachInitSetsAddressesThenRoutes) {
  say("init", init_json());
  EXPECT_THAT(take_journal(), ElementsAre(kAddresses, "routes"));
  EXPECT_THAT(host_.last_routes, testing::UnorderedElementsAre(Prefix::parse("100.64.0.0/11").value(),
                                                               Prefix::parse("fd00:2021:1111::/107").value()));
  EXPECT_EQ(ready_, 1);
  say("init", init_json());
  EXPECT_THAT(take_journal(), ElementsAre(kAddresses, "routes")) << "somebody may have removed them";
}

TEST_F(GatewayReactions, WhatTheHostRefusesEndsTheProgram) {
  host_.refuse_addresses = "no address";
  say("init", init_json());
  EXPECT_THAT(take_journal(), ElementsAre(kAddresses)) << "no route without an address";
  host_.refuse_addresses.clear();
  host_.refuse_routes = "no route";
  say("init", init_json());
  EXPECT_THAT(fatal_, ElementsAre("no address", "no route"));
  EXPECT_EQ(ready_, 0);
}

TEST_F(GatewayReactions, AFlowIsGrantedAndAnsweredWithItsReference) {
  say("init", init_json(kRelay));
  (void)take_journal();
  say("authorize_flow", flow_json());
  EXPECT_THAT(take_journal(), testing::Contains("send flow_authorized"));
  ASSERT_FALSE(portal_.payloads.empty());
  EXPECT_THAT(portal_.payloads.front(), HasSubstr("cmVm"));
  ASSERT_EQ(clients(), 1u);
  EXPECT_EQ(core_.status().clients.front().grants.size(), 1u);
}

TEST_F(GatewayReactions, WithoutARelayThePortalIsAskedForSome) {
  say("init", init_json());
  (void)take_journal();
  say("authorize_flow", flow_json());
  EXPECT_THAT(take_journal(), ElementsAre("ask for relays"));
  EXPECT_EQ(clients(), 0u);
}

// Lesson 54: what an init does not list is no longer allowed.
TEST_F(GatewayReactions, AnInitRevokesWhatItDoesNotList) {
  const std::string listed = std::string(R"({"client_id":")") + kClient + R"(","resource_id":")" + kResource +
                             R"(","expires_at":)" + kEnd + "}";
  say("init", init_json(kRelay));
  say("authorize_flow", flow_json());
  say("init", init_json(kRelay, listed));
  EXPECT_EQ(clients(), 1u);
  say("init", init_json(kRelay));
  EXPECT_EQ(clients(), 0u);
}

TEST_F(GatewayReactions, MessagesThatCannotBeUsedChangeNothing) {
  constexpr tunnel::test::IgnoredRow kRows[]{{"an event of a newer portal", "warp", "{}"},
                                             {"cut off", "init", "{"},
                                             {"a field is missing", "init", R"({"relays":[]})"},
                                             {"a client's message", "config_changed", "{}"}};
  for (const auto& row : kRows) {
    say(row.event, row.payload);
    EXPECT_THAT(take_journal(), IsEmpty()) << row.sentence;
  }
  EXPECT_THAT(fatal_, IsEmpty());
}

TEST_F(GatewayReactions, EventsForThePortalAreSentInTheirOrder) {
  reactions_.on_event(portal::FlowAuthorized{.ref = "r"});
  reactions_.on_event(portal::IceCandidates{.peer = {}, .candidates = {"candidate:1"}, .invalidate = false});
  reactions_.on_event(portal::IceCandidates{.peer = {}, .candidates = {"candidate:1"}, .invalidate = true});
  reactions_.on_event(tunnel::RelaysWanted{});
  EXPECT_THAT(take_journal(), ElementsAre("send flow_authorized", "send broadcast_ice_candidates",
                                          "send broadcast_invalidated_ice_candidates", "ask for relays"));
}

}  // namespace
}  // namespace fireline::gateway
