#include "core/portal/server/untold_rejections.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/unit/core/policy/documents.h"

namespace fireline::portal {
namespace {

constexpr Timestamp kNoon = 1'800'000'000;
constexpr Now kNow{Instant(std::chrono::hours(1)), UnixTime(std::chrono::seconds(kNoon))};

Now later(Duration time) {
  return {kNow.boot + time, kNow.wall + time};
}

GrantKey key_of(const std::string& client, const std::string& gateway = "gw1") {
  return {.client = policy::id_of(client), .resource = policy::id_of("net"), .gateway = policy::id_of(gateway)};
}

void fill(UntoldRejections& untold, Timestamp end) {
  for (std::size_t i = 0; i < kUntoldMax; ++i) EXPECT_TRUE(untold.add(key_of(std::to_string(i), "dead"), end, kNow));
}

TEST(UntoldRejections, AFullTableSaysSo) {
  UntoldRejections untold;
  fill(untold, kFarFuture);
  EXPECT_FALSE(untold.add(key_of("alice"), kFarFuture, kNow));
  EXPECT_FALSE(untold.next(policy::id_of("gw1")).has_value());
  untold.forget(policy::id_of("dead"));
  EXPECT_TRUE(untold.add(key_of("alice"), kFarFuture, kNow));
  EXPECT_EQ(untold.next(policy::id_of("gw1")), key_of("alice"));
}

// Gateways that never come back leave theirs.
TEST(UntoldRejections, WhatItsGatewayHasEndedItselfGivesWay) {
  UntoldRejections untold;
  fill(untold, kNoon + 10);
  EXPECT_TRUE(untold.add(key_of("old"), kNoon - kClockSlack - 1, kNow)) << "not worth a place";
  EXPECT_FALSE(untold.add(key_of("alice"), kFarFuture, kNow));
  const Now ended = later(std::chrono::seconds(kClockSlack + 61));
  EXPECT_TRUE(untold.add(key_of("alice"), kFarFuture, ended));
  EXPECT_FALSE(untold.next(policy::id_of("dead")).has_value());
  EXPECT_EQ(untold.next(policy::id_of("gw1")), key_of("alice"));
}

TEST(UntoldRejections, TheSameOneTakesOnePlace) {
  UntoldRejections untold;
  EXPECT_TRUE(untold.add(key_of("alice"), kFarFuture, kNow));
  EXPECT_TRUE(untold.add(key_of("alice"), kFarFuture, kNow));
  EXPECT_FALSE(untold.take(key_of("alice", "gw2")));
  EXPECT_FALSE(untold.take(key_of("robot")));
  EXPECT_TRUE(untold.take(key_of("alice")));
  EXPECT_FALSE(untold.take(key_of("alice")));
  fill(untold, kFarFuture);
  EXPECT_FALSE(untold.add(key_of("alice"), kFarFuture, kNow));
}

TEST(UntoldRejections, WhatWasToldLatelyIsRecalledOnce) {
  UntoldRejections untold;
  const auto gateway = policy::id_of("gw1");
  untold.told(key_of("early"), kNow.boot);
  const Now now = later(kToldMemory + std::chrono::seconds(1));
  untold.told(key_of("other", "gw2"), now.boot);
  untold.told(key_of("late"), now.boot);
  untold.recall(gateway, now);
  EXPECT_EQ(untold.next(gateway), key_of("late"));
  EXPECT_TRUE(untold.take(key_of("late")));
  EXPECT_FALSE(untold.next(gateway).has_value());
  untold.recall(gateway, now);
  EXPECT_FALSE(untold.next(gateway).has_value());
  EXPECT_FALSE(untold.next(policy::id_of("gw2")).has_value());
  untold.forget(policy::id_of("gw2"));
  untold.recall(policy::id_of("gw2"), now);
  EXPECT_FALSE(untold.next(policy::id_of("gw2")).has_value());
}

}  // namespace
}  // namespace fireline::portal
