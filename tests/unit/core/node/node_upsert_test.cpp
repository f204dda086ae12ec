// Upsert, candidates of the peer, and the ends of a connection (connectivity specification 2.2, 2.6, 2.7, 2.9).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/node/node_fixture.h"

namespace fireline::node {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = NodeEvent::Kind;

UpsertOutcome upsert(World& world, const ConnectionParameters& parameters) {
  return world.client->call(
      [&](Node& node, packet::Output& output) { return node.upsert(world.now(), parameters, output); });
}

TEST(NodeUpsert, WhateverDiffersInAnyOfFiveIsAnotherConnection) {
  struct Row {
    const char* rule;
    void (*change)(ConnectionParameters&);
    UpsertOutcome expected;
  };
  static const auto other = [](const char* ufrag, const char* password) {
    return ice::Credentials::make(ufrag, password).value();
  };
  const Row rows[] = {
      {"nothing", [](ConnectionParameters&) {}, UpsertOutcome::reused},
      {"allowed IPs are no identity", [](ConnectionParameters& p) { p.allowed_ips.clear(); }, UpsertOutcome::reused},
      {"the peer's key [bug]", [](ConnectionParameters& p) { p.peer_key.bytes[0] ^= std::byte{1}; },
       UpsertOutcome::replaced},
      {"the preshared key [bug]", [](ConnectionParameters& p) { p.preshared_key = crypto::Key(); },
       UpsertOutcome::replaced},
      {"our fragment", [](ConnectionParameters& p) { p.local = other("abcd", "jio6xwffz6i3ixgub3h4n5"); },
       UpsertOutcome::replaced},
      {"our password", [](ConnectionParameters& p) { p.local = other("llqe", "jio6xwffz6i3ixgub3h4n6"); },
       UpsertOutcome::replaced},
      {"the peer's fragment", [](ConnectionParameters& p) { p.remote = other("abcd", "yiuijlligg2km2kweghata"); },
       UpsertOutcome::replaced},
      {"the peer's password", [](ConnectionParameters& p) { p.remote = other("nk46", "yiuijlligg2km2kweghatb"); },
       UpsertOutcome::replaced},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    World world;
    world.connect();
    ConnectionParameters parameters = world.parameters_at(*world.client, *world.gateway);
    row.change(parameters);
    EXPECT_EQ(upsert(world, parameters), row.expected);
    EXPECT_EQ(world.client->node->connection_count(), 1u);
    const bool reused = row.expected == UpsertOutcome::reused;
    EXPECT_EQ(world.client->status("gateway").phase, reused ? ConnectionPhase::connected : ConnectionPhase::connecting);
    EXPECT_EQ(world.client->count(Kind::closed) + world.client->count(Kind::failed), 0u) << "replaced in silence";
    EXPECT_EQ(world.client->counted(NodeCounter::goodbyes_sent), 0u);
    EXPECT_EQ(world.client->node->device().gauges().peers, 1u);
  }
}

TEST(NodeUpsert, WithoutARelayNothingIsTouched) {
  World world;
  EXPECT_EQ(world.upsert(*world.client, *world.gateway), UpsertOutcome::no_relays);
  EXPECT_EQ(world.client->node->connection_count(), 0u);

  world.connect();
  world.client->set_relays({"relay-1"}, {});
  EXPECT_EQ(world.client->count(Kind::no_relays_left), 1u);
  ConnectionParameters parameters = world.parameters_at(*world.client, *world.gateway);
  EXPECT_EQ(upsert(world, parameters), UpsertOutcome::reused) << "the direct path goes on";
  parameters.preshared_key = crypto::Key();
  EXPECT_EQ(upsert(world, parameters), UpsertOutcome::no_relays);
  EXPECT_TRUE(world.exchange()) << "the old one is still there";
  EXPECT_EQ(world.client->counted(NodeCounter::refused_no_relays), 2u);
}

TEST(NodeUpsert, ReuseSignalsAllLocalCandidatesAgain) {
  World world;
  world.connect();
  world.run(1s);
  const auto before = world.client->told(Kind::candidates_gathered);
  ASSERT_EQ(before.size(), 3u) << "host, server-reflexive, relayed";
  world.client->events.clear();
  EXPECT_EQ(world.upsert(*world.client, *world.gateway), UpsertOutcome::reused);
  EXPECT_EQ(world.client->told(Kind::candidates_gathered).size(), 3u);
  EXPECT_EQ(world.client->count(Kind::candidates_gathered), 1u) << "in one message";
  world.run(1s);
  EXPECT_TRUE(world.exchange()) << "the peer knows them all; nothing happens";
}

TEST(NodeUpsert, ReuseRollsTheSessionOverButAtMostEveryTwentySeconds) {
  World world;
  world.allocate();
  world.upsert(*world.gateway, *world.client);
  world.upsert(*world.client, *world.gateway);
  world.run(1s);
  const auto handshakes = [&] { return world.client->counted(NodeCounter::proactive_handshakes); };
  const auto first = handshakes();
  EXPECT_EQ(first, 1u) << "of the first nomination";
  world.upsert(*world.client, *world.gateway);
  EXPECT_EQ(handshakes(), first);
  world.run(21s);
  world.upsert(*world.client, *world.gateway);
  EXPECT_EQ(handshakes(), first + 1);
  world.upsert(*world.client, *world.gateway);
  EXPECT_EQ(handshakes(), first + 1);
  EXPECT_EQ(world.gateway->counted(NodeCounter::proactive_handshakes), 0u) << "the gateway answers";
  EXPECT_TRUE(world.exchange());
}

TEST(NodeUpsert, TheWrongPresharedKeyGivesNoTunnelAndFailsInTime) {
  World world;
  world.allocate();
  world.upsert(*world.gateway, *world.client);
  ConnectionParameters parameters = world.parameters_at(*world.client, *world.gateway);
  parameters.preshared_key = crypto::Key();
  upsert(world, parameters);
  world.run(14s);
  EXPECT_TRUE(world.client->has("gateway")) << "ICE is well";
  world.run(4s);
  ASSERT_EQ(world.client->count(Kind::failed), 1u);
  EXPECT_EQ(world.client->events.back().reason, FailureReason::tunnel_expired);
}

TEST(NodeUpsert, AKeyUnderAnotherIdEndsTheOlderConnection) {
  World world;
  world.connect();
  ConnectionParameters parameters = world.parameters_at(*world.client, *world.gateway);
  parameters.id = "renamed";
  EXPECT_EQ(upsert(world, parameters), UpsertOutcome::created);
  EXPECT_EQ(world.client->node->connection_count(), 1u);
  ASSERT_EQ(world.client->count(Kind::closed), 1u);
}

TEST(NodeUpsert, TwoConnectionsMayShareBothFragments) {
  World world;
  world.allocate();
  ConnectionParameters twin = world.parameters_at(*world.gateway, *world.client);
  twin.id = "a twin";
  twin.peer_key.bytes[0] ^= std::byte{1};
  twin.local = ice::Credentials::make(twin.local.ufrag(), "aaaaaaaaaaaaaaaaaaaaaa").value();
  twin.allowed_ips.clear();
  world.gateway->call([&](Node& node, packet::Output& output) { return node.upsert(world.now(), twin, output); });
  world.upsert(*world.gateway, *world.client);
  world.upsert(*world.client, *world.gateway);
  world.run(1s);
  EXPECT_TRUE(world.exchange()) << "the key of MESSAGE-INTEGRITY decides";
  EXPECT_EQ(world.gateway->status("a twin").phase, ConnectionPhase::connecting);
  // A check that neither has signed is nobody's.
  world.password_suffix = "wrong";
  ConnectionParameters wrong = world.parameters_at(*world.client, *world.gateway);
  upsert(world, wrong);
  world.client->call([&](Node& node, packet::Output& output) {
    node.add_remote_candidates(world.now(), "gateway", world.gateway->told(Kind::candidates_gathered), output);
    return true;
  });
  world.run(200ms);
  EXPECT_GT(world.gateway->counted(NodeCounter::drop_datagram_stun_unproven), 0u);
  world.gateway->expect_ledger();
}

TEST(NodeCandidates, OnesThatMeanNothingAreSkippedAndCounted) {
  World world;
  world.allocate();
  world.signalling = false;
  world.upsert(*world.client, *world.gateway);
  const std::vector<std::string> candidates = {
      "candidate:1 1 udp 2130706175 10.0.1.7 52625 typ host ufrag nk46",
      "candidate:1 1 udp 2130706175 10.0.1.7 52625 typ host ufrag xxxx",
      "candidate:1 2 udp 2130706175 10.0.1.7 52625 typ host",
      "not a candidate",
      "candidate:1 1 udp 1694498559 198.51.100.7 40000 typ srflx raddr 0.0.0.0 rport 0",
      "candidate:1 1 udp 1694498559 198.51.100.7 40000 typ srflx raddr 0.0.0.0 rport 0",
  };
  const auto add = [&](const char* id) {
    world.client->call([&](Node& node, packet::Output& output) {
      node.add_remote_candidates(world.now(), id, candidates, output);
      return true;
    });
  };
  add("gateway");
  EXPECT_EQ(world.client->counted(NodeCounter::remote_candidates), 3u);
  EXPECT_EQ(world.client->counted(NodeCounter::drop_candidate_other), 2u);
  EXPECT_EQ(world.client->counted(NodeCounter::drop_candidate_malformed), 1u);
  add("nobody");
  EXPECT_EQ(world.client->counted(NodeCounter::drop_candidate_unknown_connection), 6u) << "dropped, never kept";
  // Host, reflexive, and one optimistic: the reflexive address with the host's port.
  EXPECT_EQ(world.client->status("gateway").remote_candidates, 3u);
}

TEST(NodeCandidates, AreLimitedForEachMessageAndForEachConnection) {
  World world;
  world.allocate();
  world.signalling = false;
  world.upsert(*world.client, *world.gateway);
  std::vector<std::string> many;
  for (std::size_t i = 0; i < kCandidatesPerMessageMax + 5; ++i) {
    many.push_back("candidate:1 1 udp 5 10.1." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1) +
                   " 9 typ host");
  }
  const auto tell = [&](auto&& input) {
    world.client->call([&](Node& node, packet::Output& output) { input(node, output); });
  };
  tell([&](Node& node, packet::Output& output) { node.add_remote_candidates(world.now(), "gateway", many, output); });
  EXPECT_EQ(world.client->counted(NodeCounter::drop_candidate_too_many), 5u);
  EXPECT_EQ(world.client->counted(NodeCounter::remote_candidates), ice::kRemoteCandidatesMax);
  EXPECT_EQ(world.client->counted(NodeCounter::drop_candidate_full),
            kCandidatesPerMessageMax - ice::kRemoteCandidatesMax);
  EXPECT_EQ(world.client->status("gateway").remote_candidates, ice::kRemoteCandidatesMax);
  tell([&](Node& node, packet::Output& output) {
    node.invalidate_remote_candidates(world.now(), "gateway", many, output);
  });
  EXPECT_EQ(world.client->counted(NodeCounter::drop_candidate_too_many), 10u) << "of withdrawals as well";
}

TEST(NodeCandidates, AChannelIsBoundForWhatIsNoHost) {
  World world;
  world.signalling = false;
  world.client->set_relays({}, world.entries(*world.client, 0));
  world.upsert(*world.client, *world.gateway);
  world.client->call([&](Node& node, packet::Output& output) {
    node.add_remote_candidates(world.now(), "gateway",
                               std::vector<std::string>{"candidate:1 1 udp 37748479 203.0.113.9 50000 typ relay raddr "
                                                        "0.0.0.0 rport 0 ufrag nk46"},
                               output);
    return true;
  });
  ASSERT_EQ(world.client->node->relays(world.now())[0].allocation.waiting_peers, 1u) << "before any check goes there";
  world.run(200ms);
  ASSERT_EQ(world.client->node->relays(world.now()).size(), 1u);
  EXPECT_EQ(world.client->node->relays(world.now())[0].allocation.bound_channels, 1u);
}

TEST(NodeCandidates, ReflexiveOnesAreToldWithoutFragmentAndNeverPaired) {
  World world;
  world.allocate();
  world.upsert(*world.client, *world.gateway);
  const auto told = world.client->told(Kind::candidates_gathered);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_THAT(told[0], HasSubstr("typ host ufrag llqe"));
  EXPECT_THAT(told[1], HasSubstr("198.51.100.4"));
  EXPECT_THAT(told[1], HasSubstr("typ srflx raddr 0.0.0.0 rport 0"));
  EXPECT_THAT(told[1], Not(HasSubstr("ufrag")));
  EXPECT_THAT(told[2], HasSubstr("typ relay raddr 0.0.0.0 rport 0 ufrag llqe"));
  EXPECT_EQ(world.client->status("gateway").local_candidates, 3u);
}

TEST(NodeCandidates, SharedOnesComeFromAllRelaysRelayedOnesFromTheChosenOne) {
  World world({.client_nat = sim::Dependence::address_and_port_dependent, .relays = 3});
  world.allocate();
  world.upsert(*world.client, *world.gateway);
  const auto told = world.client->told(Kind::candidates_gathered);
  EXPECT_EQ(std::ranges::count_if(told, [](const auto& t) { return t.find("typ host") != t.npos; }), 1)
      << "the same address at all relays";
  EXPECT_EQ(std::ranges::count_if(told, [](const auto& t) { return t.find("typ srflx") != t.npos; }), 3)
      << "a symmetric NAT has another port for each";
  EXPECT_EQ(std::ranges::count_if(told, [](const auto& t) { return t.find("typ relay") != t.npos; }), 1);
}

TEST(NodeCandidates, LaterDiscoveriesOfTheChosenRelayAreToldAtOnce) {
  World world;
  world.client->set_relays({}, world.all_entries(*world.client));
  EXPECT_EQ(world.upsert(*world.client, *world.gateway), UpsertOutcome::created) << "before the first answer";
  EXPECT_THAT(world.client->told(Kind::candidates_gathered), IsEmpty());
  world.run(500ms);
  EXPECT_EQ(world.client->told(Kind::candidates_gathered).size(), 3u);
}

TEST(NodeCandidates, AChangedReflexiveAddressIsAnnouncedBeforeTheOldOneIsWithdrawn) {
  World world;
  world.connect();
  world.client->events.clear();
  world.network.reboot_nat(world.client_site);
  world.run(30s);
  const auto gathered = world.client->told(Kind::candidates_gathered);
  const auto withdrawn = world.client->told(Kind::candidates_invalidated);
  ASSERT_FALSE(gathered.empty());
  ASSERT_FALSE(withdrawn.empty());
  const auto is_reflexive = [](const std::string& text) { return text.find("typ srflx") != text.npos; };
  EXPECT_TRUE(std::ranges::any_of(gathered, is_reflexive));
  EXPECT_TRUE(std::ranges::any_of(withdrawn, is_reflexive));
  const auto position = [&](Kind kind) {
    return std::ranges::find_if(world.client->events,
                                [&](const NodeEvent& event) {
                                  return event.kind == kind && std::ranges::any_of(event.candidates, is_reflexive);
                                }) -
           world.client->events.begin();
  };
  EXPECT_LT(position(Kind::candidates_gathered), position(Kind::candidates_invalidated));
  EXPECT_TRUE(world.exchange(20s));
}

TEST(NodeCandidates, ANominationInvalidatesNothing) {
  World world;
  world.connect();
  world.run(5s);
  EXPECT_THAT(world.client->told(Kind::candidates_invalidated), IsEmpty());
  EXPECT_THAT(world.gateway->told(Kind::candidates_invalidated), IsEmpty());
}

TEST(NodeCandidates, ConnectsOnPeerReflexiveOnesAlone) {
  World world;
  world.allocate();
  world.signalling = false;
  world.upsert(*world.gateway, *world.client);
  world.upsert(*world.client, *world.gateway);
  // Only the client hears of the gateway, as with a baseline that does not signal again.
  const auto told = world.gateway->told(Kind::candidates_gathered);
  world.client->call([&](Node& node, packet::Output& output) {
    node.add_remote_candidates(world.now(), "gateway", told, output);
    return true;
  });
  world.run(1s);
  EXPECT_TRUE(world.exchange());
}

}  // namespace
}  // namespace fireline::node
