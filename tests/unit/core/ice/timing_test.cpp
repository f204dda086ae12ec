// The four columns of retransmission values.
#include "core/ice/timing.h"

#include <gtest/gtest.h>

#include <vector>

namespace fireline::ice {
namespace {

using std::chrono::milliseconds;

std::vector<int> delays(const Timing& timing, std::uint32_t count) {
  std::vector<int> result;
  for (std::uint32_t n = 0; n < count; ++n) {
    result.push_back(static_cast<int>(std::chrono::duration_cast<milliseconds>(timing.delay(n)).count()));
  }
  return result;
}

TEST(Timing, DelaysOfAnActiveClient) {
  EXPECT_EQ(delays(kControllingActive, 7), (std::vector{0, 250, 500, 1000, 1500, 1500, 1500}));
}

TEST(Timing, DelaysOfAnActiveGateway) {
  EXPECT_EQ(delays(kControlledActive, 10), (std::vector{0, 250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000}));
}

TEST(Timing, DelaysOfIdlePairs) {
  EXPECT_EQ(delays(kControllingIdle, 4), (std::vector{0, 25000, 25000, 25000}));
  EXPECT_EQ(delays(kControlledIdle, 4), (std::vector{0, 25000, 25000, 25000}));
}

TEST(Timing, LongTimeoutsOnTheGatewayAndShortOnesOnTheClient) {
  EXPECT_EQ(timing_of(Role::controlling, Pace::active).timeout(), milliseconds(15250));
  EXPECT_EQ(timing_of(Role::controlled, Pace::active).timeout(), milliseconds(600750));
  EXPECT_EQ(timing_of(Role::controlling, Pace::idle).timeout(), std::chrono::seconds(100));
  EXPECT_EQ(timing_of(Role::controlled, Pace::idle).timeout(), std::chrono::seconds(1000));
}

TEST(Timing, ADelayDoesNotOverflow) {
  EXPECT_EQ(kControlledActive.delay(0xFFFFFFFF), std::chrono::seconds(15));
}

}  // namespace
}  // namespace fireline::ice
