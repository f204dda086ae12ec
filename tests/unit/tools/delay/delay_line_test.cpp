#include "tools/delay/delay_line.h"

#include <gtest/gtest.h>

namespace fireline::lab {
namespace {

using namespace std::chrono_literals;

Frame frame(std::size_t bytes, int mark = 0) {
  return Frame(bytes, static_cast<std::byte>(mark));
}

TEST(DelayLine, KeepsOrderAndTime) {
  DelayLine line({.delay = 10ms}, 1);
  const Instant begin{};
  EXPECT_FALSE(line.due());
  line.push(begin, frame(5, 1));
  line.push(begin + 3ms, frame(6, 2));
  EXPECT_EQ(line.due(), begin + 10ms);
  EXPECT_EQ(line.front(), frame(5, 1));
  line.pop();
  EXPECT_EQ(line.due(), begin + 13ms);
  EXPECT_EQ(line.front(), frame(6, 2));
  line.pop();
  EXPECT_FALSE(line.due());
  EXPECT_EQ(line.counts().carried, 2U);
}

TEST(DelayLine, IsBoundedInBytesAndCountsWhatFindsNoRoom) {
  DelayLine line({.bytes_max = 10}, 1);
  line.push({}, frame(6));
  line.push({}, frame(5));
  line.push({}, frame(4));
  EXPECT_EQ(line.counts().full, 1U);
  line.pop();
  line.push({}, frame(6));
  EXPECT_EQ(line.counts().full, 1U) << "a frame that left makes room";
}

TEST(DelayLine, LosesItsShare) {
  const auto lost_of = [](double share) {
    DelayLine line({.loss = share}, 7);
    for (int i = 0; i < 10000; ++i) line.push({}, frame(1));
    const auto& counts = line.counts();
    EXPECT_EQ(counts.frames, 10000U);
    while (line.due()) line.pop();
    EXPECT_EQ(counts.carried + counts.lost, counts.frames);
    return counts.lost;
  };
  EXPECT_EQ(lost_of(0), 0U);
  EXPECT_EQ(lost_of(1), 10000U);
  // Six standard deviations around 1,000: sqrt(10000 * 0.1 * 0.9) = 30.
  EXPECT_NEAR(static_cast<double>(lost_of(0.1)), 1000, 180);
}

}  // namespace
}  // namespace fireline::lab
