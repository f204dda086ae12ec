// The congestion window of the QUIC-like load, event by event.
#include "tools/bench/quic_window.h"

#include <gtest/gtest.h>

namespace fireline::bench {
namespace {

constexpr std::uint64_t kStart = QuicWindow::kStart;

TEST(QuicWindow, HoldsBackWhatDoesNotFit) {
  QuicWindow window;
  EXPECT_TRUE(window.may_send(kStart));
  EXPECT_FALSE(window.may_send(kStart + 1));
  window.sent(kStart);
  EXPECT_EQ(window.in_flight(), kStart);
  EXPECT_FALSE(window.may_send(1));
  window.acknowledged(16, 16);
  EXPECT_EQ(window.in_flight(), kStart - 16);
}

TEST(QuicWindow, GrowsByWhatArrivesUntilTheFirstLossAndByOneAWindowBehindIt) {
  QuicWindow window;
  window.sent(100);
  window.acknowledged(100, 100);
  EXPECT_EQ(window.window(), kStart + 100);
  window.sent(100);
  window.acknowledged(200, 199);
  const std::uint64_t half = (kStart + 100) / 2;
  EXPECT_EQ(window.window(), half) << "one is lost";
  window.sent(half);
  window.acknowledged(200 + half, 199 + half);
  EXPECT_EQ(window.window(), half + 1) << "a window was acknowledged";
  window.sent(1);
  window.acknowledged(201 + half, 200 + half);
  EXPECT_EQ(window.window(), half + 1);
}

TEST(QuicWindow, IsCutOnceForTheLossesOfOneWindow) {
  QuicWindow window;
  window.sent(300);
  window.acknowledged(300, 300);
  const std::uint64_t before = window.window();
  window.sent(200);
  window.acknowledged(400, 390);
  EXPECT_EQ(window.window(), before / 2);
  window.acknowledged(500, 480);
  EXPECT_EQ(window.window(), before / 2) << "it was on its way at the cut";
  window.sent(10);
  window.acknowledged(510, 489);
  EXPECT_EQ(window.window(), before / 4);
}

TEST(QuicWindow, StaysWithinItsLimits) {
  QuicWindow window;
  std::uint64_t number = 0;
  for (int i = 0; i < 200; ++i) {
    window.sent(100);
    number += 100;
    window.acknowledged(number, number);
  }
  EXPECT_EQ(window.window(), QuicWindow::kMost);
  for (int i = 0; i < 20; ++i) {
    window.sent(10);
    window.timed_out();
    EXPECT_EQ(window.in_flight(), 0u) << "what was on its way is given up";
  }
  EXPECT_EQ(window.window(), QuicWindow::kLeast);
}

TEST(QuicWindow, IgnoresAnswersThatAreOldOrNonsense) {
  QuicWindow window;
  window.sent(64);
  window.acknowledged(32, 32);
  const std::uint64_t before = window.window();
  window.acknowledged(16, 10);
  window.acknowledged(65, 65);
  EXPECT_EQ(window.window(), before);
  EXPECT_EQ(window.in_flight(), 32u);
  window.acknowledged(40, 1000);
  EXPECT_EQ(window.in_flight(), 24u) << "more received than there are: no loss";
}

}  // namespace
}  // namespace fireline::bench
