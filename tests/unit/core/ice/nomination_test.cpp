// When the controlled side takes it that the controlling one has left a pair: times to the nanosecond.
#include "core/ice/nomination.h"

#include <gtest/gtest.h>

#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Two pairs of the controlled side, both nominated and answered.
struct Nominations : testing::Test {
  Nominations() {
    better = add("203.0.113.9:1", 200);
    other = add("203.0.113.9:2", 100);
  }
  PairId add(const char* address, std::uint32_t priority) {
    auto ours = host("10.0.0.4:1");
    ours.priority = 2130706175;
    auto theirs = host(address);
    theirs.priority = priority;
    list.add(start, {1, ours, false}, {priority, theirs, RemoteOrigin::signalled, false});
    Pair& pair = *list.find(ours.base, theirs.address);
    list.record_request(start, pair, priority);
    list.record_answer(start, priority, ours.address);
    list.nominate(start, *list.find(ours.base, theirs.address));
    return list.find(ours.base, theirs.address)->id;
  }
  std::optional<PairId> selected_at(Instant time) {
    nomination.update(time, list);
    return nomination.selected();
  }

  const Instant start = after(milliseconds(0));
  CheckList list{Role::controlled};
  Nomination nomination{Role::controlled};
  PairId better;
  PairId other;
};

TEST_F(Nominations, APairIsLeftTenSecondsAfterItsLastOneWhenAnotherHadThreeSince) {
  list.find(better)->use_candidate = {start};
  list.find(other)->use_candidate = {start + seconds(3), start + seconds(2), start + seconds(1)};
  EXPECT_EQ(selected_at(start + seconds(3)), better);
  EXPECT_EQ(nomination.next_time(start + seconds(3), list), start + kDesertedAfter);
  EXPECT_EQ(selected_at(start + kDesertedAfter - Duration(1)), better);
  EXPECT_EQ(selected_at(start + kDesertedAfter), other);
  list.find(better)->use_candidate.front() = start + kDesertedAfter;
  EXPECT_EQ(selected_at(start + kDesertedAfter), better) << "used again";
}

TEST_F(Nominations, WhatWasLeftBeforeGoingIdleStaysLeft) {
  list.find(better)->use_candidate = {start};
  list.find(other)->use_candidate = {start + seconds(3), start + seconds(2), start + seconds(1)};
  nomination.set_pace(start + kDesertedAfter, Pace::idle);
  EXPECT_EQ(selected_at(start + kDesertedAfter), other);
  nomination.set_pace(start + seconds(12), Pace::active);
  EXPECT_EQ(selected_at(start + seconds(12)), other);
  list.find(better)->use_candidate.front() = start + seconds(12);
  EXPECT_EQ(selected_at(start + seconds(12)), better) << "used again";
}

TEST_F(Nominations, WhatWasNotLeftBeforeGoingIdleHasThatPace) {
  list.find(better)->use_candidate = {start};
  list.find(other)->use_candidate = {start + seconds(3), start + seconds(2), start + seconds(1)};
  nomination.set_pace(start + kDesertedAfter - Duration(1), Pace::idle);
  EXPECT_EQ(selected_at(start + seconds(15)), better);
  nomination.set_pace(start + seconds(20), Pace::active);
  nomination.set_pace(start + seconds(20) + kAwakeAfter - Duration(1), Pace::idle);
  EXPECT_EQ(selected_at(start + seconds(30)), better) << "awake for too short a time to judge";
  EXPECT_EQ(selected_at(start + kIdleSilence), other);
}

TEST_F(Nominations, TwoSinceMayBeLoss) {
  list.find(better)->use_candidate = {start};
  list.find(other)->use_candidate = {start + seconds(3), start + seconds(2)};
  EXPECT_EQ(selected_at(start + seconds(60)), better);
  EXPECT_EQ(nomination.next_time(start + seconds(3), list), std::nullopt);
}

}  // namespace
}  // namespace fireline::ice
