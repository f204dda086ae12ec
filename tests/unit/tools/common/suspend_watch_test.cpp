#include "tools/common/suspend_watch.h"

#include <gtest/gtest.h>

namespace fireline {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Row {
  const char* sentence;
  Duration boot;
  Duration monotonic;
  std::optional<Duration> slept;
};

// A host that slept for an hour before the program began.
TEST(SuspendWatch, TellsOfEachSleepOnce) {
  constexpr Duration kBefore = std::chrono::hours(1);
  SuspendWatch watch({.boot = seconds(100) + kBefore, .monotonic = seconds(100)});
  const Row rows[]{
      {"both clocks ran", seconds(105), seconds(105), std::nullopt},
      {"the thread lost the CPU between both readings", milliseconds(110'999), seconds(110), std::nullopt},
      {"a second is a sleep", seconds(116), seconds(115), seconds(1)},
      {"it is told once", seconds(121), seconds(120), std::nullopt},
      {"a night", seconds(30'125), seconds(125), seconds(29'999)},
      {"and nothing behind it", seconds(30'130), seconds(130), std::nullopt},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(watch.look({.boot = row.boot + kBefore, .monotonic = row.monotonic}), row.slept) << row.sentence;
  }
}

TEST(SuspendWatch, ThisMachineIsAwake) {
  const auto clocks = read_suspend_clocks();
  SuspendWatch watch(clocks);
  EXPECT_EQ(watch.look(read_suspend_clocks()), std::nullopt);
}

}  // namespace
}  // namespace fireline
