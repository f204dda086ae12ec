#include "tools/common/retry.h"

#include <gtest/gtest.h>

namespace fireline {
namespace {

class RetryTest : public ::testing::Test {
 protected:
  void turn() { loop_->turn(Duration::zero()); }

  std::unique_ptr<io::EventLoop> loop_ = io::EventLoop::make().value();
  int attempts_ = 0;
  int failures_ = 0;  // so many attempts fail
  std::vector<bool> failing_;
  // Due in the loop's next turn.
  Retry retry_{*loop_,
               [this] {
                 failing_.push_back(retry_.failing());
                 return ++attempts_ > failures_;
               },
               Duration::zero()};
};

TEST_F(RetryTest, WhatIsDoneIsNotTriedAgain) {
  retry_.start();
  turn();
  EXPECT_EQ(attempts_, 1);
  EXPECT_FALSE(retry_.failing());
}

TEST_F(RetryTest, WhatFailedIsTriedUntilItIsDone) {
  failures_ = 2;
  retry_.start();
  EXPECT_TRUE(retry_.failing());
  for (int i = 0; i < 4; ++i) turn();
  EXPECT_EQ(attempts_, 3);
  EXPECT_FALSE(retry_.failing());
  EXPECT_EQ(failing_, (std::vector<bool>{false, true, true})) << "an attempt knows whether it is the first that fails";
}

TEST_F(RetryTest, OneTimerHoweverOftenItIsStarted) {
  failures_ = 3;
  for (int i = 0; i < 3; ++i) retry_.start();
  turn();
  EXPECT_EQ(attempts_, 4);
}

TEST_F(RetryTest, EndsWithItsObject) {
  {
    Retry other(
        *loop_,
        [this] {
          ++attempts_;
          return false;
        },
        Duration::zero());
    other.start();
  }
  turn();
  EXPECT_EQ(attempts_, 1);
}

}  // namespace
}  // namespace fireline
