#include "tools/client/reactions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/crypto/x25519.h"
#include "core/tunnel/tun_offer.h"
#include "tests/unit/tools/tunnel/reactions_fixture.h"

namespace fireline::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kAddresses = "addresses 100.80.1.2 fd00:2021:1111::a:102";

std::string interface_json(const std::string& ipv4) {
  return R"({"ipv4":")" + ipv4 +
         R"(","ipv6":"fd00:2021:1111::a:102","search_domain":null,"upstream_do53":[],"upstream_doh":[],"upstream_dns":[]})";
}

std::string init_json(const std::string& resources = "") {
  return R"({"interface":)" + interface_json("100.80.1.2") + R"(,"resources":[)" + resources + R"(],"relays":[]})";
}

constexpr const char* kResource =
    R"({"id":"0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11","type":"cidr","name":"Lab","address":"172.20.0.0/16",)"
    R"("address_description":null,"gateway_groups":[{"id":"5f0c0a46-8c88-4c39-8b0a-8f7a6d2f9b10","name":"lab"}],)"
    R"("filters":[]})";

class ClientReactions : public tunnel::test::ReactionsFixture<tunnel::Client> {
 protected:
  ClientReactions() {
    engine_.on_event = [this](const tunnel::ClientEvent& event) { reactions_.on_event(event); };
  }

  void say(std::string_view event, std::string_view payload) {
    reactions_.on_message(event, payload);
    engine_.handle_events();
  }
  void wait(Duration duration) {
    engine_.now.boot += duration;
    engine_.run([](tunnel::Client& client, Now now, packet::Output& output) { client.handle_timeout(now, output); });
    engine_.handle_events();
  }
  Reactions::Outside outside() {
    return {.engine = engine_,
            .portal = portal_,
            .host = host_,
            .random = random_,
            .fatal = [this](std::string why) { fatal_.push_back(std::move(why)); },
            .ready = [this] { ++ready_; }};
  }
  static constexpr Now kNow{Instant(std::chrono::hours(1)), UnixTime(std::chrono::seconds(1'790'000'000))};
  Reactions reactions_{outside()};
};

TEST_F(ClientReactions, AddressesComeBeforeRoutesAndReadinessIsToldOnce) {
  say("init", init_json());
  EXPECT_THAT(take_journal(), ElementsAre(kAddresses, "routes"));
  EXPECT_EQ(ready_, 1);
  say("init", init_json());
  EXPECT_THAT(take_journal(), IsEmpty()) << "nothing changed";
  say("config_changed", R"({"interface":)" + interface_json("100.80.1.3") + "}");
  EXPECT_THAT(take_journal(), ElementsAre("addresses 100.80.1.3 fd00:2021:1111::a:102", "routes"));
  EXPECT_EQ(ready_, 1) << "the service manager was told already";
}

TEST_F(ClientReactions, AResourceIsARoute) {
  say("init", init_json());
  const auto before = host_.last_routes.size();
  say("resource_created_or_updated", kResource);
  EXPECT_THAT(host_.last_routes, testing::Contains(Prefix::parse("172.20.0.0/16").value()));
  ASSERT_EQ(reactions_.resources().size(), 1u);
  EXPECT_EQ(reactions_.resources().front().name, "Lab");
  say("resource_deleted", R"("0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11")");
  wait(tunnel::kRouteLossPatience);
  EXPECT_EQ(host_.last_routes.size(), before);
  EXPECT_THAT(reactions_.resources(), IsEmpty());
}

TEST_F(ClientReactions, WhatTheHostRefusesEndsTheProgram) {
  host_.refuse_addresses = "no address";
  say("init", init_json());
  EXPECT_THAT(fatal_, ElementsAre("no address"));
  EXPECT_THAT(take_journal(), ElementsAre(kAddresses)) << "no route without an address";
  host_.refuse_addresses.clear();
  host_.refuse_routes = "no route";
  say("config_changed", R"({"interface":)" + interface_json("100.80.1.4") + "}");
  EXPECT_THAT(fatal_, ElementsAre("no address", "no route"));
  EXPECT_EQ(ready_, 0);
}

TEST_F(ClientReactions, MessagesThatCannotBeUsedChangeNothing) {
  constexpr tunnel::test::IgnoredRow kRows[]{{"an event of a newer portal", "warp", "{}"},
                                             {"cut off", "init", "{"},
                                             {"a field is missing", "init", R"({"resources":[]})"},
                                             {"a wrong type", "config_changed", R"({"interface":7})"}};
  for (const auto& row : kRows) {
    say(row.event, row.payload);
    EXPECT_THAT(take_journal(), IsEmpty()) << row.sentence;
  }
  EXPECT_THAT(fatal_, IsEmpty());
}

TEST_F(ClientReactions, AResetIsNewSocketsAndALoginWithAnotherKeyAndLeavesTheHostAlone) {
  say("init", init_json(kResource));
  (void)take_journal();
  EXPECT_TRUE(reactions_.hang_up(kNow));
  engine_.handle_events();
  EXPECT_THAT(take_journal(), ElementsAre("rebind", "log in"));
  reactions_.change_network(kNow, "the network changed");
  EXPECT_THAT(take_journal(), ElementsAre("rebind", "log in"));
  ASSERT_EQ(portal_.keys.size(), 2u);
  EXPECT_NE(portal_.keys[0], portal_.keys[1]);
  EXPECT_NE(portal_.keys[0], crypto::public_key(key_));
  EXPECT_EQ(ready_, 1);
}

TEST_F(ClientReactions, ARoamIsOneResetWhoeverTellsOfIt) {
  enum class What : std::uint8_t { hang_up, change };
  struct Row {
    const char* sentence;
    std::vector<std::pair<Duration, What>> told;
    std::size_t resets;
  };
  using namespace std::chrono_literals;
  const Row rows[] = {
      {"a hook says what was seen already", {{0s, What::change}, {100ms, What::hang_up}, {1s, What::hang_up}}, 1},
      {"somebody asks for it later", {{0s, What::change}, {kSameChange, What::hang_up}}, 2},
      {"the hook was first: the program has the network looked at, and tells of another one alone",
       {{0s, What::hang_up}, {500ms, What::change}},
       2},
      {"somebody asks for it again and again", {{0s, What::hang_up}, {1ms, What::hang_up}, {2ms, What::hang_up}}, 3},
      {"the network changes again and again", {{0s, What::change}, {1s, What::change}}, 2},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    Reactions reactions(outside());
    portal_.keys.clear();
    for (const auto& [at, what] : row.told) {
      const Now now{kNow.boot + at, kNow.wall + at};
      what == What::change ? reactions.change_network(now, "another network") : void(reactions.hang_up(now));
    }
    EXPECT_EQ(portal_.keys.size(), row.resets);
  }
}

TEST_F(ClientReactions, EventsForThePortalAreSentInTheirOrder) {
  reactions_.on_event(portal::CreateFlow{.resource = {}, .connected_gateways = {}});
  reactions_.on_event(portal::IceCandidates{.peer = {}, .candidates = {"candidate:1"}, .invalidate = false});
  reactions_.on_event(portal::IceCandidates{.peer = {}, .candidates = {"candidate:1"}, .invalidate = true});
  reactions_.on_event(tunnel::RelaysWanted{});
  EXPECT_THAT(take_journal(), ElementsAre("send create_flow", "send broadcast_ice_candidates",
                                          "send broadcast_invalidated_ice_candidates", "ask for relays"));
}

}  // namespace
}  // namespace fireline::client
