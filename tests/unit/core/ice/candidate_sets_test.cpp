// What becomes of candidates that a node finds, and of those that it is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ice/check_list.h"
#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

using Local = LocalCandidates::Outcome;
using Remote = RemoteCandidates::Outcome;

TEST(LocalCandidates, PriorityIsTheAgentsWithThePenaltyForCrossedFamilies) {
  LocalCandidates local;
  EXPECT_EQ(local.add(host("[2001:db8::4]:1")).entry->candidate.priority, 2130706431u);
  EXPECT_EQ(local.add(host("10.0.0.4:1")).entry->candidate.priority, 2130706175u);
  EXPECT_EQ(local.add(host("10.0.0.5:1")).entry->candidate.priority, 2130705663u);
  EXPECT_EQ(local.add(relayed("[2001:db8::7]:1", Family::v4)).entry->candidate.priority, 37492735u);
  EXPECT_EQ(LocalCandidates().add(relayed("192.0.2.7:1", Family::v6)).entry->candidate.priority, 37492479u);
  EXPECT_EQ(LocalCandidates().add(relayed("192.0.2.7:1", Family::v4)).entry->candidate.priority, 37748479u);
}

TEST(LocalCandidates, MustAllowSeveralHostCandidatesPerFamily) {
  LocalCandidates local;
  for (const auto* address : {"10.0.0.4:1", "10.0.0.5:1", "10.0.0.6:1"}) {
    EXPECT_EQ(local.add(host(address)).outcome, Local::fresh);
    EXPECT_NE(local.find_paired(at(address)), nullptr);
  }
}

TEST(LocalCandidates, TheSameAddressAndBaseAgainIsRedundant) {
  LocalCandidates local;
  const auto first = local.add(host("10.0.0.4:1")).entry->id;
  const auto again = local.add(host("10.0.0.4:1"));
  EXPECT_EQ(again.outcome, Local::redundant);
  EXPECT_EQ(again.entry->id, first);
  EXPECT_EQ(local.add(relayed("10.0.0.4:1")).outcome, Local::redundant) << "of another kind and not better";
  EXPECT_EQ(local.entries().size(), 1u);
}

TEST(LocalCandidates, ABetterOneAtTheSameAddressTakesOver) {
  LocalCandidates local;
  local.add(relayed("10.0.0.4:1"));
  EXPECT_EQ(local.add(host("10.0.0.4:1")).outcome, Local::fresh);
  EXPECT_EQ(local.find_paired(at("10.0.0.4:1"))->candidate.kind, CandidateKind::host);
}

TEST(LocalCandidates, ReflexiveOnesAreSignalledAndNeverPaired) {
  LocalCandidates local;
  const auto added = local.add(reflexive("203.0.113.9:40000", "10.0.0.4:1"));
  EXPECT_EQ(added.outcome, Local::fresh);
  EXPECT_EQ(added.entry->candidate.priority, 1694498559u);
  EXPECT_FALSE(added.entry->is_paired());
  EXPECT_EQ(local.find_paired(at("203.0.113.9:40000")), nullptr);
  EXPECT_FALSE(local.any()) << "nothing can be checked from it";
}

TEST(LocalCandidates, AReflexiveOneWithAnotherBaseIsTheSame) {
  LocalCandidates local;
  const auto unrelated = [](const char* base) {
    Candidate candidate = reflexive("203.0.113.9:40000", base);
    candidate.related = unspecified(Family::v4);
    return candidate;
  };
  local.add(unrelated("10.0.0.4:1"));
  EXPECT_EQ(local.add(unrelated("10.0.0.5:1")).outcome, Local::redundant) << "the peer knows no base";
  EXPECT_EQ(local.entries().size(), 1u);
  EXPECT_TRUE(local.discard(unrelated("10.0.0.5:1")).has_value());
  EXPECT_TRUE(local.entries().front().discarded);
}

TEST(LocalCandidates, ADiscardedOneThatComesBackKeepsItsPriority) {
  LocalCandidates local;
  const auto first = local.add(host("10.0.0.4:1")).entry->candidate.priority;
  ASSERT_TRUE(local.discard(host("10.0.0.4:1")).has_value());
  EXPECT_FALSE(local.discard(host("10.0.0.4:1")).has_value()) << "once";
  EXPECT_EQ(local.find_paired(at("10.0.0.4:1")), nullptr);
  EXPECT_EQ(local.add(host("10.0.0.5:1")).entry->candidate.priority, first - 512) << "discarded ones count";
  const auto back = local.add(host("10.0.0.4:1"));
  EXPECT_EQ(back.outcome, Local::re_enabled);
  EXPECT_EQ(back.entry->candidate.priority, first);
}

TEST(LocalCandidates, AreBounded) {
  LocalCandidates local;
  const auto numbered = [](std::size_t i) { return host("10.0.1." + std::to_string(i + 1) + ":1"); };
  for (std::size_t i = 0; i < kLocalCandidatesMax; ++i) ASSERT_EQ(local.add(numbered(i)).outcome, Local::fresh);
  EXPECT_EQ(local.add(numbered(200)).outcome, Local::full);
  local.discard(numbered(7));
  EXPECT_EQ(local.add(numbered(200)).outcome, Local::fresh) << "in the place of a discarded one";
  EXPECT_EQ(local.entries().size(), kLocalCandidatesMax);
}

struct RemoteSet : testing::Test {
  Remote add(const Candidate& candidate) { return remote.add(announced(candidate).candidate, pairs).outcome; }
  std::vector<std::string> optimistic() {
    std::vector<std::string> result;
    while (const auto* const entry = remote.add_optimistic(pairs)) {
      result.push_back(entry->candidate.address.to_string());
    }
    return result;
  }
  CheckList pairs{Role::controlled};
  RemoteCandidates remote;
};

TEST_F(RemoteSet, TheSameAnnouncementIsKnown) {
  EXPECT_EQ(add(host("10.0.0.4:1")), Remote::fresh);
  EXPECT_EQ(add(host("10.0.0.4:1")), Remote::known);
  EXPECT_EQ(add(reflexive("10.0.0.4:1", "10.0.0.4:1")), Remote::fresh) << "another kind is another candidate";
}

TEST_F(RemoteSet, MustMapEqualPriorityCandidatesWithoutLoss) {
  auto first = host("10.0.0.4:1");
  auto second = host("10.0.0.5:1");
  first.priority = second.priority = 2130706175;
  EXPECT_EQ(add(first), Remote::fresh);
  EXPECT_EQ(add(second), Remote::fresh);
}

TEST_F(RemoteSet, AnInvalidationMatchesKindAddressAndRelatedAddressOnly) {
  auto candidate = relayed("192.0.2.7:1");
  candidate.priority = 37492479;
  add(candidate);
  candidate.priority = candidate_priority(CandidateKind::relayed, default_local_preference(Family::v4));
  EXPECT_FALSE(remote.discard(host("192.0.2.7:1")).has_value());
  EXPECT_TRUE(remote.discard(candidate).has_value()) << "of the default priority, as the baseline sends it";
  EXPECT_FALSE(remote.discard(candidate).has_value());
}

TEST_F(RemoteSet, ADiscardedOneIsRevivedByANewAnnouncementOnly) {
  add(host("10.0.0.4:1"));
  remote.discard(host("10.0.0.4:1"));
  EXPECT_EQ(remote.find(at("10.0.0.4:1")), nullptr);
  EXPECT_TRUE(remote.is_discarded(at("10.0.0.4:1")));
  EXPECT_TRUE(remote.any()) << "discarded ones count";
  EXPECT_EQ(add(host("10.0.0.4:1")), Remote::re_enabled);
  EXPECT_NE(remote.find(at("10.0.0.4:1")), nullptr);
}

TEST_F(RemoteSet, OfSeveralAtOneAddressTheBestIsMeant) {
  auto good = host("10.0.0.4:1");
  good.priority = 2130706175;
  auto worse = reflexive("10.0.0.4:1", "10.0.0.4:1");
  worse.priority = 1694498559;
  add(worse);
  add(good);
  EXPECT_EQ(remote.find(at("10.0.0.4:1"))->candidate.kind, CandidateKind::host);
}

TEST_F(RemoteSet, AnAnnouncementReplacesATemporaryPeerReflexiveOneInPlace) {
  const auto id = remote.discover(at("10.0.0.4:1"), 5, pairs)->id;
  EXPECT_EQ(add(host("10.0.0.4:1")), Remote::replaced);
  EXPECT_EQ(remote.entries().size(), 1u);
  EXPECT_EQ(remote.find(at("10.0.0.4:1"))->id, id);
  EXPECT_EQ(remote.find(at("10.0.0.4:1"))->candidate.kind, CandidateKind::host);
}

TEST_F(RemoteSet, OptimisticOnesJoinReflexiveAddressesAndHostPorts) {
  add(host("10.0.0.4:52625"));
  EXPECT_TRUE(optimistic().empty());
  add(reflexive("203.0.113.9:40000", "10.0.0.4:52625"));
  EXPECT_THAT(optimistic(), testing::ElementsAre("203.0.113.9:52625"));
  const auto* const made = remote.find(at("203.0.113.9:52625"));
  EXPECT_EQ(made->candidate.kind, CandidateKind::server_reflexive);
  EXPECT_EQ(made->candidate.priority, 1694498559u);
  EXPECT_EQ(made->origin, RemoteOrigin::optimistic);
  EXPECT_TRUE(optimistic().empty()) << "once";
}

TEST_F(RemoteSet, OptimisticOnesAreForIpv4Only) {
  add(host("[2001:db8::4]:52625"));
  add(reflexive("[2001:db8::9]:40000", "[2001:db8::4]:52625"));
  EXPECT_TRUE(optimistic().empty());
}

TEST_F(RemoteSet, OptimisticOnesDoNotBreedMore) {
  add(host("10.0.0.4:1"));
  add(host("10.0.0.4:2"));
  add(reflexive("203.0.113.9:40000", "10.0.0.4:1"));
  EXPECT_EQ(optimistic().size(), 2u);
}

TEST_F(RemoteSet, AnAnnouncementReplacesAnOptimisticOneAndCanBeWithdrawn) {
  add(host("10.0.0.4:52625"));
  add(reflexive("203.0.113.9:40000", "10.0.0.4:52625"));
  optimistic();
  EXPECT_EQ(add(relayed("203.0.113.9:52625")), Remote::replaced);
  EXPECT_TRUE(remote.discard(relayed("203.0.113.9:52625")).has_value());
  EXPECT_EQ(remote.find(at("203.0.113.9:52625")), nullptr);
  EXPECT_TRUE(optimistic().empty()) << "what was withdrawn is not made up again";
}

TEST_F(RemoteSet, OneThatWasMadeUpAndIsAnnouncedIsPairedAnewAsTheAnnouncedOne) {
  add(host("10.0.0.4:52625"));
  add(reflexive("203.0.113.9:40000", "10.0.0.4:52625"));
  ASSERT_THAT(optimistic(), testing::ElementsAre("203.0.113.9:52625"));
  const Candidate made = remote.find(at("203.0.113.9:52625"))->candidate;
  EXPECT_EQ(add(made), Remote::replaced) << "the same in every word";
  EXPECT_EQ(add(made), Remote::known);
}

TEST_F(RemoteSet, IsBoundedAndForgetsDiscoveredOnesFirst) {
  const auto numbered = [](std::size_t i) {
    return at("10.0." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1) + ":1");
  };
  for (std::size_t i = 0; i < kRemoteCandidatesMax; ++i) ASSERT_NE(remote.discover(numbered(i), 5, pairs), nullptr);
  pairs.add(Instant(), {1, host("10.9.0.1:1"), false}, *remote.find(numbered(0)));
  EXPECT_EQ(add(host("192.0.2.1:1")), Remote::fresh);
  EXPECT_NE(remote.find(numbered(0)), nullptr) << "it is in a pair";
  EXPECT_EQ(remote.find(numbered(1)), nullptr) << "the oldest of the others";
  EXPECT_EQ(remote.entries().size(), kRemoteCandidatesMax);
}

TEST_F(RemoteSet, IsFullWhenEverythingIsAnnounced) {
  const auto numbered = [](std::size_t i) {
    return host("10.0." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1) + ":1");
  };
  for (std::size_t i = 0; i < kRemoteCandidatesMax; ++i) ASSERT_EQ(add(numbered(i)), Remote::fresh);
  EXPECT_EQ(add(host("192.0.2.1:1")), Remote::full);
  EXPECT_EQ(remote.discover(at("192.0.2.1:1"), 5, pairs), nullptr);
  remote.discard(numbered(3));
  EXPECT_EQ(add(host("192.0.2.1:1")), Remote::fresh) << "in the place of a discarded one";
}

}  // namespace
}  // namespace fireline::ice
