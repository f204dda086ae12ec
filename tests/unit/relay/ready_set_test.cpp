#include "relay/ready_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace fireline::relay {
namespace {

struct Step {
  const char* rule;
  enum class Do : std::uint8_t { insert, keep, drop, erase } what;
  ReadySet::Slot slot;
  std::size_t packets;
  std::optional<ReadySet::Slot> next;  // what take() then answers; the slot is kept with nothing read
};

TEST(ReadySet, TheFewestPacketsFirstTiesByAge) {
  using enum Step::Do;
  const std::vector<Step> steps{
      {"an empty set has nothing", drop, 0, 0, std::nullopt},
      {"one ready socket is read", insert, 5, 0, 5},
      {"readiness reported twice is one membership", insert, 5, 0, 5},
      {"who read nothing yet comes before who read much", keep, 5, 64, 5},
      {"a new one starts where the reading is, behind who waits there", insert, 9, 0, 5},
      {"fewer packets still come first", keep, 9, 63, 5},
      {"at the same count the one that waits longer", keep, 5, 63, 9},
      {"a socket that is empty leaves", drop, 5, 0, 9},
      {"and comes back where the reading is", insert, 5, 0, 9},
      {"one that gave packets and is empty leaves", drop, 9, 10, 5},
      {"and comes back with its count, whoever waited longer", insert, 9, 0, 5},
      {"which is more than this one's", keep, 5, 9, 5},
      {"until it is less", keep, 5, 2, 9},
      {"a closed socket is gone", erase, 5, 0, 9},
      {"closing twice changes nothing", erase, 5, 0, 9},
      {"the last one closed leaves an empty set", erase, 9, 0, std::nullopt},
  };
  ReadySet set;
  for (const Step& step : steps) {
    SCOPED_TRACE(step.rule);
    switch (step.what) {
      case insert:
        set.insert(step.slot);
        break;
      case keep:
        ASSERT_EQ(set.take(), step.slot);
        set.keep(step.slot, step.packets);
        break;
      case drop:
        set.drop(step.slot, step.packets);
        break;
      case erase:
        set.erase(step.slot);
        break;
    }
    const auto next = set.take();
    EXPECT_EQ(next, step.next);
    EXPECT_EQ(set.empty(), !step.next.has_value());
    // Only the slots' order matters below, so the one looked at goes back as it was.
    if (next) set.keep(*next, 0);
  }
}

TEST(ReadySet, ASocketClosedInHandStaysAway) {
  ReadySet set;
  set.insert(1);
  ASSERT_EQ(set.take(), 1u);
  set.erase(1);
  set.keep(1, 10);
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.take(), std::nullopt);
  set.insert(1);
  EXPECT_EQ(set.take(), 1u);
}

// The rule itself, with sockets that always have more: nobody gets more than one batch ahead.
TEST(ReadySet, NoSocketGetsMoreThanABatchAhead) {
  std::mt19937 random(7);
  ReadySet set;
  std::vector<std::size_t> read(100);
  for (ReadySet::Slot slot = 0; slot < 100; ++slot) set.insert(slot);
  for (int turn = 0; turn < 20'000; ++turn) {
    const auto slot = set.take();
    ASSERT_TRUE(slot);
    const std::size_t packets = 1 + random() % kBatchPackets;
    read[*slot] += packets;
    set.keep(*slot, packets);
    const auto [least, most] = std::ranges::minmax(read);
    ASSERT_LE(most - least, kBatchPackets);
  }
}

// Both always have more; one has had it for a million packets already.
TEST(ReadySet, WhoWasBusyForLongIsNotPassedOverForANewOne) {
  ReadySet set;
  set.insert(0);
  for (int i = 0; i < 15'625; ++i) {
    ASSERT_EQ(set.take(), 0u);
    set.keep(0, kBatchPackets);
  }
  set.insert(1);
  std::array<std::size_t, 2> read{};
  for (int i = 0; i < 1000; ++i) {
    const auto slot = set.take();
    ASSERT_TRUE(slot);
    read.at(*slot) += kBatchPackets;
    set.keep(*slot, kBatchPackets);
    // The first one's last batch before is its lead.
    ASSERT_LE(read[1], read[0] + 2 * kBatchPackets);
    ASSERT_LE(read[0], read[1] + kBatchPackets);
  }
}

// The loop's turns: at most a batch or a little more each, and between two of them all but one, which always has more,
// become ready anew. They are drained by each read.
TEST(ReadySet, WhoIsDrainedByEachReadDoesNotPassOverWhoAlwaysHasMore) {
  constexpr std::size_t kFew = 25;
  ReadySet set;
  std::array<std::size_t, 4> read{};
  set.insert(0);
  for (int turn = 0; turn < 1000; ++turn) {
    for (const ReadySet::Slot slot : {1u, 2u, 3u}) set.insert(slot);
    for (std::size_t packets = 0; packets < kBatchPackets; packets += kFew) {
      const auto slot = set.take();
      ASSERT_TRUE(slot);
      read.at(*slot) += kFew;
      if (*slot == 0) {
        set.keep(*slot, kFew);
      } else {
        set.drop(*slot, kFew);
      }
    }
    ASSERT_LE(std::ranges::max(read) - read[0], kBatchPackets);
  }
}

TEST(ReadySet, AnotherSocketInAClosedOnesSlotOwesNothing) {
  ReadySet set;
  for (const ReadySet::Slot slot : {1u, 2u}) set.insert(slot);
  ASSERT_EQ(set.take(), 1u);
  set.drop(1, kBatchPackets);
  set.erase(1);
  set.insert(1);
  ASSERT_EQ(set.take(), 2u);
  set.keep(2, 1);
  EXPECT_EQ(set.take(), 1u);
}

TEST(ReadySet, OneFloodAndAThousandSlowSocketsTakeOneRound) {
  ReadySet set;
  set.insert(0);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(set.take(), 0u);
    set.keep(0, kBatchPackets);
  }
  for (ReadySet::Slot slot = 1; slot <= 1000; ++slot) set.insert(slot);
  for (ReadySet::Slot slot = 1; slot <= 1000; ++slot) {
    ASSERT_EQ(set.take(), slot) << "before the flood is read again";
    set.drop(slot, 1);
  }
  EXPECT_EQ(set.take(), 0u);
}

TEST(ReadySet, ClosedSocketsLeaveNoMemoryBehind) {
  ReadySet set;
  set.insert(0);
  for (int round = 0; round < 100'000; ++round) {
    set.insert(1);
    set.erase(1);
  }
  EXPECT_EQ(set.size(), 1u);
  EXPECT_EQ(set.take(), 0u);
}

}  // namespace
}  // namespace fireline::relay
