#include "platform/linux/debounce.h"

#include <gtest/gtest.h>

namespace fireline::platform {
namespace {

using std::chrono::milliseconds;

Instant at(int ms) {
  return Instant(milliseconds(ms));
}

TEST(Debounce, ExpiresOnceAfterTheLastOfABurst) {
  Debounce debounce(milliseconds(500), milliseconds(5000));
  EXPECT_FALSE(debounce.deadline());
  EXPECT_FALSE(debounce.expire(at(99'999)));
  debounce.event(at(0));
  debounce.event(at(400));
  EXPECT_EQ(debounce.deadline(), at(900));
  EXPECT_FALSE(debounce.expire(at(899)));
  EXPECT_TRUE(debounce.expire(at(900)));
  EXPECT_FALSE(debounce.expire(at(900)));
  EXPECT_FALSE(debounce.deadline());
}

TEST(Debounce, EventsThatNeverPauseAreAnsweredAllTheSame) {
  Debounce debounce(milliseconds(500), milliseconds(5000));
  int answers = 0;
  for (int ms = 0; ms <= 11'000; ms += 100) {
    if (debounce.expire(at(ms))) ++answers;
    debounce.event(at(ms));
  }
  EXPECT_EQ(answers, 2);
}

}  // namespace
}  // namespace fireline::platform
