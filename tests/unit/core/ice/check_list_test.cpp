// Pairs: which exist, what replaces what, and in which order they are checked.
#include "core/ice/check_list.h"

#include <gtest/gtest.h>

#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

using std::chrono::milliseconds;
using Outcome = CheckList::Outcome;

struct Checks : testing::Test {
  LocalCandidate local(const char* address, std::uint32_t priority = 2130706175) {
    auto candidate = host(address);
    candidate.priority = priority;
    return {next_id++, candidate, false};
  }
  RemoteCandidate remote(const std::string& address, std::uint32_t priority = 2130706175) {
    auto candidate = host(address);
    candidate.priority = priority;
    return {next_id++, candidate, RemoteOrigin::signalled, false};
  }
  Instant now = after(milliseconds(0));
  CandidateId next_id = 1;
  CheckList list{Role::controlling};
};

TEST_F(Checks, LocalAndRemoteOfDifferentFamiliesNeverPair) {
  EXPECT_EQ(list.add(now, local("10.0.0.4:1"), remote("[2001:db8::1]:1")), Outcome::other_family);
  EXPECT_TRUE(list.pairs().empty());
}

TEST_F(Checks, AnEqualOrLowerNewcomerIsDropped) {
  const auto base = local("10.0.0.4:1");
  EXPECT_EQ(list.add(now, base, remote("10.0.0.5:1", 100)), Outcome::added);
  EXPECT_EQ(list.add(now, base, remote("10.0.0.5:1", 100)), Outcome::redundant);
  EXPECT_EQ(list.add(now, base, remote("10.0.0.5:1", 99)), Outcome::redundant);
  EXPECT_EQ(list.pairs().size(), 1u);
}

TEST_F(Checks, AHigherNewcomerInheritsTheNominationAlsoWhileItIsUnanswered) {
  const auto base = local("10.0.0.4:1");
  list.add(now, base, remote("10.0.0.5:1", 100));
  auto& old = *list.due(now);
  list.record_request(now, old, 1);
  list.record_answer(now, 1, at("10.0.0.4:1"));
  list.nominate(now, old);
  list.record_request(now, old, 2);  // announces the nomination, and is not answered
  const auto id = old.id;

  EXPECT_EQ(list.add(now, base, remote("10.0.0.5:1", 200)), Outcome::replaced);
  const Pair& pair = list.pairs().front();
  EXPECT_EQ(pair.id, id);
  EXPECT_TRUE(pair.nominated);
  EXPECT_TRUE(pair.answered);
  EXPECT_EQ(pair.state, PairState::waiting);
  EXPECT_EQ(list.due(now), &pair) << "checked at once";
  EXPECT_FALSE(list.record_answer(now, 2, at("10.0.0.4:1"))) << "answers to the old pair's requests are not known";
}

TEST_F(Checks, ANewcomerInThePlaceOfAnotherThatWasNotNominatedStartsAfresh) {
  const auto base = local("10.0.0.4:1");
  list.add(now, base, remote("10.0.0.5:1", 100));
  list.record_request(now, *list.due(now), 1);
  list.record_answer(now, 1, at("10.0.0.4:1"));
  EXPECT_EQ(list.add(now, base, remote("10.0.0.5:1", 200)), Outcome::replaced);
  EXPECT_FALSE(list.pairs().front().answered);
  EXPECT_FALSE(list.pairs().front().nominated);
}

TEST_F(Checks, AtMostAHundredPairsTheLowestGoes) {
  const auto base = local("10.0.0.4:1");
  for (std::uint32_t i = 0; i < kPairsMax; ++i) {
    ASSERT_EQ(list.add(now, base, remote("10.0.1." + std::to_string(i + 1) + ":1", 1000 + i)), Outcome::added);
  }
  EXPECT_EQ(list.add(now, base, remote("10.0.2.1:1", 999)), Outcome::full);
  EXPECT_EQ(list.add(now, base, remote("10.0.2.1:1", 5000)), Outcome::added);
  EXPECT_EQ(list.pairs().size(), kPairsMax);
  EXPECT_EQ(list.pairs().front().destination, at("10.0.2.1:1"));
  EXPECT_EQ(list.find(at("10.0.0.4:1"), at("10.0.1.1:1")), nullptr);
}

TEST_F(Checks, OfAFullListFirstGoesWhoNeverAnswered) {
  const auto base = local("10.0.0.4:1");
  const auto pair_to = [&](std::uint32_t i) {
    return list.find(at("10.0.0.4:1"), at("10.0.1." + std::to_string(i + 1) + ":1"));
  };
  RequestId id = 0;
  const auto ask = [&](std::uint32_t i, std::uint32_t requests, bool answers) {
    for (std::uint32_t n = 0; n < requests; ++n) {
      list.record_request(now, *pair_to(i), ++id);
      if (answers && n == 0) list.record_answer(now, id, at("10.0.0.4:1"));
    }
  };
  for (std::uint32_t i = 0; i < kPairsMax; ++i) {
    list.add(now, base, remote("10.0.1." + std::to_string(i + 1) + ":1", 1000 + i));
  }
  ask(50, kSilentRequests + 1, false);
  ask(60, kSilentRequests, false);
  ask(70, kSilentRequests - 1, false);
  ask(80, kSilentRequests + 5, true);
  auto discovered = remote("10.0.2.9:1", 999);
  discovered.origin = RemoteOrigin::discovered;
  EXPECT_EQ(list.add(now, base, discovered), Outcome::full) << "each check of such a one may lead to another one";
  EXPECT_EQ(list.add(now, base, remote("10.0.2.1:1", 1)), Outcome::added) << "however low it ranks";
  EXPECT_EQ(pair_to(50), nullptr) << "asked most often";
  EXPECT_EQ(list.add(now, base, remote("10.0.2.2:1", 2)), Outcome::added);
  EXPECT_EQ(pair_to(60), nullptr);
  EXPECT_EQ(list.add(now, base, remote("10.0.2.3:1", 1)), Outcome::full) << "the others answered, or may yet";
  EXPECT_NE(pair_to(70), nullptr);
  EXPECT_NE(pair_to(80), nullptr) << "it answered once";
  EXPECT_EQ(list.pairs().size(), kPairsMax);
}

// Both NATs map every port anew: whatever is checked leads to the discovery of another candidate, sooner than a channel
// is bound for the relayed one.
TEST_F(Checks, OfAFullListDiscoveredOnesNeverDriveOutASignalledOne) {
  const auto base = local("10.0.0.4:1");
  std::uint32_t count = 0;
  const auto discovered = [&](std::uint32_t priority) {
    auto candidate =
        remote("10.0." + std::to_string(1 + count / 200) + "." + std::to_string(1 + count % 200) + ":1", priority);
    ++count;
    candidate.origin = RemoteOrigin::discovered;
    return candidate;
  };
  for (std::uint32_t i = 0; i < kPairsMax; ++i) {
    ASSERT_EQ(list.add(now, base, discovered(1000 + i)), Outcome::added);
  }
  EXPECT_EQ(list.add(now, base, remote("203.0.113.1:1", 1)), Outcome::added) << "though nobody was asked yet";
  EXPECT_EQ(list.find(at("10.0.0.4:1"), at("10.0.1.1:1")), nullptr) << "the lowest of the discovered ones went";
  for (std::uint32_t i = 0; i < 2 * kPairsMax; ++i) list.add(now, base, discovered(5000 + i));
  EXPECT_NE(list.find(at("10.0.0.4:1"), at("203.0.113.1:1")), nullptr);
  EXPECT_EQ(list.pairs().size(), kPairsMax);
}

// It carries data, though its own check was not answered yet.
TEST_F(Checks, OfAFullListWhatIsNominatedStays) {
  const auto base = local("10.0.0.4:1");
  for (std::uint32_t i = 0; i < kPairsMax; ++i) {
    auto discovered = remote("10.0.1." + std::to_string(i + 1) + ":1", 1000 + i);
    discovered.origin = RemoteOrigin::discovered;
    ASSERT_EQ(list.add(now, base, discovered), Outcome::added);
  }
  list.nominate(now, *list.find(at("10.0.0.4:1"), at("10.0.1.1:1")));
  EXPECT_EQ(list.add(now, base, remote("203.0.113.1:1", 5000)), Outcome::added);
  EXPECT_NE(list.find(at("10.0.0.4:1"), at("10.0.1.1:1")), nullptr);
  EXPECT_EQ(list.find(at("10.0.0.4:1"), at("10.0.1.2:1")), nullptr) << "the lowest of the others";
}

TEST_F(Checks, ADiscoveredOneThatIsAnnouncedCountsAsSignalled) {
  const auto base = local("10.0.0.4:1");
  auto found = remote("203.0.113.1:1", 10);
  found.origin = RemoteOrigin::discovered;
  list.add(now, base, found);
  EXPECT_FALSE(list.pairs().front().signalled);
  found.origin = RemoteOrigin::signalled;
  found.candidate.priority = 9;
  EXPECT_EQ(list.add(now, base, found), Outcome::redundant);
  EXPECT_TRUE(list.pairs().front().signalled);
}

TEST_F(Checks, TheNominatedPairIsNotTheOneThatGoes) {
  const auto base = local("10.0.0.4:1");
  list.add(now, base, remote("10.0.1.1:1", 1000));
  list.nominate(now, *list.due(now));
  for (std::uint32_t i = 1; i < kPairsMax; ++i) {
    list.add(now, base, remote("10.0.1." + std::to_string(i + 1) + ":1", 1000 + i));
  }
  EXPECT_EQ(list.add(now, base, remote("10.0.2.1:1", 5000)), Outcome::added);
  EXPECT_NE(list.find(at("10.0.0.4:1"), at("10.0.1.1:1")), nullptr);
  EXPECT_EQ(list.find(at("10.0.0.4:1"), at("10.0.1.2:1")), nullptr);
}

TEST_F(Checks, NominationsAreAnnouncedBeforeAnythingElse) {
  const auto base = local("10.0.0.4:1");
  list.add(now, base, remote("10.0.0.5:1", 200));
  list.add(now, base, remote("10.0.0.6:1", 100));
  Pair* const second = list.find(at("10.0.0.4:1"), at("10.0.0.6:1"));
  list.record_request(now, *second, 1);
  EXPECT_NE(list.due(now), second);
  list.nominate(now, *second);
  EXPECT_EQ(list.due(now), second);
  list.record_request(now, *second, 2);
  EXPECT_NE(list.due(now), second) << "once";
}

// ICMP errors come with every packet into a dead path, and each is a hint that hastens its pair.
TEST_F(Checks, HintsHastenAFailureAndNeverPutItOff) {
  const auto fails_after = [&](milliseconds hints) {
    CheckList pairs(Role::controlling);
    pairs.add(now, local("10.0.0.4:1"), remote("10.0.0.5:1"));
    Instant time = now;
    RequestId request = 0;
    while (!pairs.pairs().empty() && time - now < std::chrono::minutes(1)) {
      if (hints.count() > 0 && (time - now) % hints == Duration::zero()) pairs.hasten(time, at("10.0.0.5:1"));
      while (Pair* const pair = pairs.due(time)) pairs.record_request(time, *pair, ++request);
      time += milliseconds(10);
      pairs.remove_failed(time);
    }
    return time - now;
  };
  const Duration alone = fails_after(milliseconds(0));
  EXPECT_EQ(alone, kControllingActive.timeout());
  EXPECT_LT(fails_after(milliseconds(1000)), alone);
  EXPECT_LT(fails_after(milliseconds(100)), fails_after(milliseconds(1000)));
}

TEST_F(Checks, RemovingACandidateRemovesItsPairs) {
  const auto first = local("10.0.0.4:1");
  const auto second = local("10.0.0.5:1");
  const auto peer = remote("10.0.0.6:1");
  list.add(now, first, peer);
  list.add(now, second, peer);
  list.remove_local(first.id);
  ASSERT_EQ(list.pairs().size(), 1u);
  EXPECT_EQ(list.pairs().front().source, at("10.0.0.5:1"));
  EXPECT_TRUE(list.has_remote(peer.id));
  list.remove_remote(peer.id);
  EXPECT_TRUE(list.pairs().empty());
  EXPECT_EQ(list.next_time(), std::nullopt);
}

}  // namespace
}  // namespace fireline::ice
