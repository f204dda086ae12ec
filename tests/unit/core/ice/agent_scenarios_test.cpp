// Two agents against each other over a scripted network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr const char* kClient = "10.0.0.4:52625";
constexpr const char* kClientOutside = "203.0.113.9:40000";
constexpr const char* kGateway = "198.51.100.7:52625";
constexpr const char* kClientRelayed = "192.0.2.100:50000";
constexpr const char* kGatewayRelayed = "192.0.2.200:50000";

bool passes(const Sent& sent, const char* a, const char* b) {
  const auto& [source, destination] = std::pair(sent.transmit.source, sent.transmit.destination);
  return (source == at(a) && destination == at(b)) || (source == at(b) && destination == at(a));
}

// A pair that was healthy: 1.5 s to the first request that is lost, and 16.5 s for twelve of them, of which the first
// is still followed at the pace of a healthy pair.
constexpr Duration kHealthyPairFails = milliseconds(1500) + milliseconds(16500) + milliseconds(20);

// Both have a host and a relayed candidate; the direct path works or not.
struct DirectAndRelayed : VirtualNetwork {
  DirectAndRelayed() {
    loses = [this](const Sent& sent) { return direct_is_dead && passes(sent, kClient, kGateway); };
  }
  void start() {
    add(client, {host(kClient), relayed(kClientRelayed)});
    add(gateway, {host(kGateway), relayed(kGatewayRelayed)});
  }
  bool direct_is_dead = false;
};

TEST(AgentScenarios, TwoHostsConnectWithinTwoRoundTrips) {
  VirtualNetwork net;
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(4 * net.delay);
  EXPECT_TRUE(net.client.uses(kClient, kGateway));
  EXPECT_TRUE(net.gateway.uses(kGateway, kClient));
  EXPECT_EQ(net.client.agent.state(), AgentState::completed) << "no other pair is there";
  EXPECT_THAT(net.client.states(), ElementsAre(AgentState::checking, AgentState::completed));
  EXPECT_EQ(net.client.agent.selected_pair()->rtt, 2 * net.delay);
}

TEST(AgentScenarios, EveryDatagramIsAnsweredOrCounted) {
  DirectAndRelayed net;
  net.start();
  net.run_for(seconds(60));
  EXPECT_EQ(net.gateway.count(AgentCounter::requests_received), net.gateway.count(AgentCounter::responses_sent));
  EXPECT_EQ(net.client.count(AgentCounter::requests_received), net.client.count(AgentCounter::responses_sent));
  EXPECT_GT(net.client.count(AgentCounter::responses_received), 0u);
}

TEST(AgentScenarios, MustKeepAllPairsAliveAfterNomination) {
  DirectAndRelayed net;
  net.start();
  net.run_for(seconds(120));
  ASSERT_EQ(net.client.agent.pairs().size(), 4u);
  for (const auto& pair : net.client.agent.pairs()) EXPECT_EQ(pair.state, PairState::succeeded);
  EXPECT_EQ(net.client.agent.state(), AgentState::connected);
  net.client.sent.clear();
  net.run_for(milliseconds(1500));
  EXPECT_EQ(std::ranges::count(net.client.sent, true, &Sent::is_request), 4) << "each is checked every max RTO";
}

TEST(AgentScenarios, MigratesFromRelayToDirectByItself) {
  DirectAndRelayed net;
  net.direct_is_dead = true;
  net.start();
  net.run_for(seconds(5));
  EXPECT_TRUE(net.client.uses(kClient, kGatewayRelayed)) << "its own host makes it the better of the relayed pairs";
  net.direct_is_dead = false;
  net.run_for(milliseconds(1500) + 4 * net.delay);
  EXPECT_TRUE(net.client.uses(kClient, kGateway));
  EXPECT_TRUE(net.gateway.uses(kGateway, kClient));
}

TEST(AgentScenarios, FailsOverWithoutSignallingWhenTheDirectPathDies) {
  DirectAndRelayed net;
  net.start();
  net.run_for(seconds(5));
  ASSERT_TRUE(net.client.uses(kClient, kGateway));
  net.direct_is_dead = true;
  net.run_for(kHealthyPairFails);
  EXPECT_TRUE(net.client.uses(kClient, kGatewayRelayed));
}

TEST(AgentScenarios, IsSilentWhileNoPathThatWorkedAnswers) {
  DirectAndRelayed net;
  EXPECT_FALSE(net.client.agent.is_silent()) << "nothing worked yet";
  net.start();
  net.run_for(seconds(5));
  net.direct_is_dead = true;
  for (int i = 0; i < 50; ++i) {
    net.run_for(milliseconds(500));
    ASSERT_FALSE(net.client.agent.is_silent()) << "the relayed path answers";
  }
  bool relay_is_dead = true;
  const auto direct = net.loses;
  net.loses = [&](const Sent& sent) { return relay_is_dead || direct(sent); };
  net.run_for(milliseconds(1900));
  EXPECT_FALSE(net.client.agent.is_silent()) << "two unanswered requests may be loss";
  net.run_for(milliseconds(3000));
  EXPECT_TRUE(net.client.agent.is_silent());
  EXPECT_TRUE(net.client.agent.path()) << "a suspicion alone";
  relay_is_dead = false;
  net.run_for(milliseconds(3000));
  EXPECT_FALSE(net.client.agent.is_silent()) << "it was loss";
}

TEST(AgentScenarios, GatewayLeavesADeadDirectPathThatTheClientLeft) {
  DirectAndRelayed net;
  net.start();
  net.run_for(seconds(5));
  ASSERT_TRUE(net.gateway.uses(kGateway, kClient));
  net.direct_is_dead = true;
  net.run_for(kHealthyPairFails + 2 * milliseconds(1500));  // three nominations elsewhere, the first of them at once
  EXPECT_TRUE(net.client.uses(kClient, kGatewayRelayed));
  EXPECT_TRUE(net.gateway.uses(kGatewayRelayed, kClient)) << "not after its own ten minutes";
  // It comes back as soon as it is used again, and is not gone from the list.
  net.direct_is_dead = false;
  net.add(net.client, {host("10.0.0.5:52625")});
  net.run_for(seconds(2));
  EXPECT_TRUE(net.client.uses("10.0.0.5:52625", kGateway));
  EXPECT_TRUE(net.gateway.uses(kGateway, "10.0.0.5:52625"));
}

// The client falls back at the pace of an active one, and the gateway no later than it would have without the pause.
TEST(AgentScenarios, GatewayLeavesADirectPathThatDiedWhileIdle) {
  DirectAndRelayed net;
  net.start();
  net.run_for(seconds(5));
  net.set_timing(Pace::idle);
  net.run_for(seconds(60));
  ASSERT_TRUE(net.gateway.uses(kGateway, kClient));
  net.direct_is_dead = true;
  net.run_for(seconds(15));
  net.set_timing(Pace::active);
  net.run_for(kHealthyPairFails + 2 * milliseconds(1500));
  EXPECT_TRUE(net.client.uses(kClient, kGatewayRelayed));
  EXPECT_TRUE(net.gateway.uses(kGatewayRelayed, kClient));
}

TEST(AgentScenarios, SendsOnThePairAtOnceOnBothSides) {
  VirtualNetwork net;
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(2 * net.delay);
  EXPECT_EQ(net.client.paths().size(), 1u) << "with its first answer, before the one to USE-CANDIDATE";
  EXPECT_EQ(net.gateway.paths().size(), 0u);
  net.run_for(net.delay);
  EXPECT_EQ(net.gateway.paths().size(), 1u) << "with USE-CANDIDATE, before its own check is answered";
}

TEST(AgentScenarios, LateUseCandidate) {
  VirtualNetwork net;
  net.loses = [&net](const Sent& sent) { return sent.nominates && net.now() < after(seconds(1005)); };
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(seconds(4));
  EXPECT_TRUE(net.client.agent.path().has_value());
  EXPECT_FALSE(net.gateway.agent.path().has_value()) << "a controlled side does not choose";
  EXPECT_EQ(net.gateway.agent.state(), AgentState::checking);
  net.run_for(seconds(3));
  EXPECT_TRUE(net.gateway.uses(kGateway, kClient)) << "the flag is on every later check of the pair";
}

TEST(AgentScenarios, SurvivesHeavyLoss) {
  VirtualNetwork net;
  ScriptedRandom random(7);
  net.loses = [&random](const Sent&) { return random.u32() % 10 < 5; };
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(seconds(15));
  EXPECT_TRUE(net.client.uses(kClient, kGateway));
  EXPECT_TRUE(net.gateway.uses(kGateway, kClient));
}

TEST(AgentScenarios, AOneWayPathIsNeverUsed) {
  VirtualNetwork net;
  net.loses = [](const Sent& sent) { return sent.transmit.source == at(kGateway); };
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(seconds(15));
  EXPECT_FALSE(net.client.agent.path().has_value());
  EXPECT_FALSE(net.gateway.agent.path().has_value());
  net.run_for(milliseconds(250));
  EXPECT_EQ(net.client.agent.state(), AgentState::disconnected) << "after 15.25 s";
  EXPECT_EQ(net.gateway.agent.state(), AgentState::checking) << "its pair has ten minutes";
  net.run_for(seconds(600));
  EXPECT_EQ(net.gateway.agent.state(), AgentState::disconnected);
  EXPECT_FALSE(net.client.agent.poll_timeout().has_value()) << "nothing is left to do";
}

TEST(AgentScenarios, WorksWithPeerReflexiveCandidatesOnly) {
  VirtualNetwork net;
  net.nat[at(kClient)] = at(kClientOutside);
  net.add_silently(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(4 * net.delay);
  EXPECT_TRUE(net.client.uses(kClient, kGateway));
  EXPECT_TRUE(net.gateway.uses(kGateway, kClientOutside));
  EXPECT_EQ(net.gateway.agent.path()->destination_kind, CandidateKind::peer_reflexive);
  const auto discovered =
      std::ranges::find(net.gateway.events, AgentEvent::Kind::peer_reflexive_discovered, &AgentEvent::kind);
  ASSERT_NE(discovered, net.gateway.events.end());
  EXPECT_EQ(discovered->remote, at(kClientOutside));
  EXPECT_TRUE(net.gateway.agent.has_remote_candidate()) << "one valid check is enough to have heard of the peer";
  EXPECT_EQ(net.client.agent.selected_pair()->mapped, at(kClientOutside));
}

TEST(AgentScenarios, AnAnnouncementTakesThePlaceOfThePeerReflexiveCandidate) {
  VirtualNetwork net;
  net.add_silently(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(4 * net.delay);
  ASSERT_EQ(net.gateway.agent.path()->destination_kind, CandidateKind::peer_reflexive);
  auto candidate = host(kClient);
  candidate.priority = 2130706175;
  EXPECT_EQ(net.gateway.agent.add_remote(net.now(), announced(candidate)), RemoteOutcome::replaced);
  EXPECT_TRUE(net.gateway.uses(kGateway, kClient)) << "the nomination is inherited";
  EXPECT_EQ(net.gateway.agent.path()->destination_kind, CandidateKind::host);
  EXPECT_EQ(net.gateway.agent.remote_candidates().size(), 1u);
  EXPECT_EQ(net.gateway.paths().size(), 1u) << "the same socket nominated again is no event";
  net.run_for(seconds(30));
  EXPECT_EQ(net.gateway.paths().size(), 1u);
}

// A relayed candidate that is discovered before it is announced has the rank of a peer-reflexive one, above every
// reflexive path; the announcement must take that from it, or the gateway answers through the relay for ever.
TEST(AgentScenarios, AnAnnouncedRelayedCandidateFallsBehindTheDirectPath) {
  VirtualNetwork net;
  net.add(net.gateway, {host(kGateway)});
  net.add_silently(net.client, {relayed(kClientRelayed)});
  net.run_for(seconds(3));
  ASSERT_TRUE(net.gateway.uses(kGateway, kClientRelayed));
  const auto announcement = [](Candidate candidate, std::uint32_t priority) {
    candidate.priority = priority;
    return announced(candidate);
  };
  EXPECT_EQ(net.gateway.agent.add_remote(net.now(), announcement(relayed(kClientRelayed), 37748479)),
            RemoteOutcome::replaced);
  EXPECT_EQ(net.gateway.paths().size(), 1u) << "still the only path";
  net.gateway.agent.add_remote(net.now(), announcement(reflexive(kClient, kClient), 1694498559));
  net.add_silently(net.client, {host(kClient)});
  net.run_for(seconds(3));
  EXPECT_TRUE(net.client.uses(kClient, kGateway));
  EXPECT_TRUE(net.gateway.uses(kGateway, kClient));
}

TEST(AgentScenarios, ABetterPairOnTheClientSideMovesItAtOnce) {
  VirtualNetwork net;
  net.add(net.gateway, {host(kGateway)});
  net.add(net.client, {relayed(kClientRelayed)});
  net.run_for(seconds(3));
  ASSERT_TRUE(net.client.uses(kClientRelayed, kGateway));
  net.add(net.client, {host(kClient)});
  net.run_for(4 * net.delay);
  EXPECT_TRUE(net.client.uses(kClient, kGateway));
  EXPECT_TRUE(net.gateway.uses(kGateway, kClient));
  net.client.sent.clear();
  net.run_for(seconds(3));
  EXPECT_TRUE(std::ranges::any_of(net.client.sent, [](const Sent& s) {
    return s.nominates && s.transmit.source == at(kClientRelayed);
  })) << "the superseded pair keeps the flag";
}

TEST(AgentScenarios, MustApplyANominationInIdleMode) {
  DirectAndRelayed net;
  net.direct_is_dead = true;
  net.start();
  net.run_for(seconds(25));
  net.set_timing(Pace::idle);
  net.direct_is_dead = false;
  net.add(net.client, {host("10.0.0.5:52625")});
  net.run_for(4 * net.delay);
  EXPECT_TRUE(net.client.uses("10.0.0.5:52625", kGateway));
  EXPECT_TRUE(net.gateway.uses(kGateway, "10.0.0.5:52625"));
  EXPECT_EQ(net.client.agent.timing(), Pace::idle) << "the timing is the node's";
}

TEST(AgentScenarios, ChangeOfTimingTakesEffectAtOnce) {
  VirtualNetwork net;
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(seconds(30));
  net.set_timing(Pace::idle);
  net.client.sent.clear();
  net.run_for(seconds(50));
  const auto requests = [&] { return std::ranges::count(net.client.sent, true, &Sent::is_request); };
  EXPECT_LE(requests(), 3) << "one in 25 s";
  EXPECT_GE(requests(), 1);
  net.set_timing(Pace::active);
  net.client.sent.clear();
  net.run_for(seconds(3));
  EXPECT_GE(requests(), 2) << "not only after the 25 s that were planned";
  EXPECT_TRUE(net.client.uses(kClient, kGateway));
}

TEST(AgentScenarios, IdlePairsFailAfterTheIdleTimeouts) {
  VirtualNetwork net;
  bool dead = false;
  net.loses = [&dead](const Sent&) { return dead; };
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(seconds(30));
  net.set_timing(Pace::idle);
  net.run_for(seconds(200));
  dead = true;
  net.run_for(seconds(74));
  EXPECT_TRUE(net.client.agent.path().has_value());
  net.run_for(seconds(52));
  EXPECT_FALSE(net.client.agent.path().has_value()) << "four unanswered requests, 25 s each";
  EXPECT_TRUE(net.gateway.agent.path().has_value());
  net.run_for(seconds(1000));
  EXPECT_FALSE(net.gateway.agent.path().has_value());
}

TEST(AgentScenarios, MustNotReportDisconnectedWhileCandidatesAreMissing) {
  VirtualNetwork net;
  net.add(net.client, {host(kClient)});
  net.run_for(seconds(100));
  EXPECT_THAT(net.client.states(), ElementsAre(AgentState::checking));
  EXPECT_THAT(net.gateway.states(), ElementsAre(AgentState::checking));
  EXPECT_FALSE(net.client.agent.has_remote_candidate());
}

TEST(AgentScenarios, ANewCandidateLeadsFromDisconnectedBackToChecking) {
  VirtualNetwork net;
  bool dead = true;
  net.loses = [&dead](const Sent&) { return dead; };
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(seconds(16));
  ASSERT_EQ(net.client.agent.state(), AgentState::disconnected);
  dead = false;
  net.add(net.client, {host("10.0.0.5:52625")});
  EXPECT_EQ(net.client.agent.state(), AgentState::checking);
  net.run_for(seconds(1));
  EXPECT_TRUE(net.client.uses("10.0.0.5:52625", kGateway));
}

TEST(AgentScenarios, RecoversStraightIntoCompleted) {
  VirtualNetwork net;
  bool dead = false;
  net.loses = [&dead](const Sent&) { return dead; };
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(seconds(5));
  dead = true;
  net.run_for(seconds(20));
  ASSERT_EQ(net.client.agent.state(), AgentState::disconnected);
  dead = false;
  // The gateway's own checks still come and make the pair anew; it is the only one.
  net.run_for(seconds(16));
  EXPECT_EQ(net.client.agent.state(), AgentState::completed);
  EXPECT_EQ(net.client.states().back(), AgentState::completed) << "the event that ends a grace time";
  EXPECT_EQ(net.client.paths().size(), 1u) << "the same socket nominated again is no event";
}

TEST(AgentScenarios, ARelayThatIsGoneTakesItsPairsAndTheOthersGoOn) {
  DirectAndRelayed net;
  net.direct_is_dead = true;
  net.start();
  net.run_for(seconds(5));
  ASSERT_TRUE(net.client.uses(kClient, kGatewayRelayed));
  net.withdraw(net.gateway, relayed(kGatewayRelayed));
  EXPECT_TRUE(net.client.uses(kClientRelayed, kGateway)) << "the choice is made anew at once";
  net.run_for(2 * net.delay);
  EXPECT_TRUE(net.gateway.uses(kGateway, kClientRelayed));
}

TEST(AgentScenarios, RolesAreFixed) {
  VirtualNetwork net;
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  net.run_for(seconds(3));
  for (const auto& sent : net.client.sent) {
    if (!sent.is_request) continue;
    EXPECT_TRUE(sent.view().has(stun::Attribute::ice_controlling));
    EXPECT_FALSE(sent.view().has(stun::Attribute::ice_controlled));
  }
  for (const auto& sent : net.gateway.sent) {
    EXPECT_NE(sent.view().message_class(), stun::MessageClass::indication);
    EXPECT_NE(sent.view().message_class(), stun::MessageClass::error);
    if (!sent.is_request) continue;
    EXPECT_TRUE(sent.view().has(stun::Attribute::ice_controlled));
    EXPECT_FALSE(sent.nominates);
  }
}

TEST(AgentScenarios, EveryRequestHasANewTransactionId) {
  DirectAndRelayed net;
  net.start();
  net.run_for(seconds(60));
  std::set<stun::TransactionId> ids;
  std::size_t requests = 0;
  for (const auto* const side : {&net.client, &net.gateway}) {
    for (const auto& sent : side->sent) {
      if (!sent.is_request) continue;
      ++requests;
      ids.insert(sent.view().transaction_id());
      EXPECT_EQ(tag_of(sent.view().transaction_id()), side->agent.settings().tag);
    }
  }
  EXPECT_EQ(ids.size(), requests);
}

TEST(AgentScenarios, ANewPairRampsUpAndIsGivenUp) {
  VirtualNetwork net;
  net.loses = [](const Sent&) { return true; };
  net.add(net.client, {host(kClient)});
  net.add(net.gateway, {host(kGateway)});
  const Instant start = net.now();
  net.run_for(seconds(20));
  std::vector<int> times;
  for (const auto& sent : net.client.sent) {
    times.push_back(static_cast<int>(std::chrono::duration_cast<milliseconds>(sent.time - start).count()));
  }
  EXPECT_THAT(times, ElementsAre(0, 250, 750, 1750, 3250, 4750, 6250, 7750, 9250, 10750, 12250, 13750));
  EXPECT_EQ(net.client.count(AgentCounter::pairs_failed), 1u);
}

TEST(AgentScenarios, FamiliesNeverPair) {
  VirtualNetwork net;
  net.add(net.client, {host(kClient), host("[2001:db8::4]:52625")});
  net.add(net.gateway, {host(kGateway), host("[2001:db8::7]:52625")});
  net.run_for(seconds(1));
  EXPECT_EQ(net.client.agent.pairs().size(), 2u);
  for (const auto& pair : net.client.agent.pairs()) {
    EXPECT_EQ(pair.source.address.family(), pair.destination.address.family());
  }
  EXPECT_TRUE(net.client.uses("[2001:db8::4]:52625", "[2001:db8::7]:52625")) << "IPv6 has the higher priority";
}

}  // namespace
}  // namespace fireline::ice
