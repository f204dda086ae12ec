#include "core/policy/weekly_windows.h"

#include <gtest/gtest.h>

#include "tests/unit/core/policy/times.h"

namespace fireline::policy {
namespace {

struct Row {
  const char* sentence;
  std::vector<Window> windows;
  UnixSeconds now;
  bool holds;
  std::optional<UnixSeconds> next;
};

const Row kRows[] = {
    {"no window never holds, and that never changes", {}, at(0, 12), false, std::nullopt},
    {"before its first second a window does not hold", {hours(0, 9, 17)}, at(0, 8, 59, 59), false, at(0, 9)},
    {"its first second is part of a window", {hours(0, 9, 17)}, at(0, 9), true, at(0, 17)},
    {"its last second is the one before its end", {hours(0, 9, 17)}, at(0, 16, 59, 59), true, at(0, 17)},
    {"its end is not part of a window, the next change is a week later", {hours(0, 9, 17)}, at(0, 17), false, at(7, 9)},
    {"of two windows of a day the pause between them is out",
     {hours(2, 8, 12), hours(2, 13, 17)},
     at(2, 12, 30),
     false,
     at(2, 13)},
    {"windows in any order are the same", {hours(2, 13, 17), hours(2, 8, 12)}, at(2, 9), true, at(2, 12)},
    {"windows that overlap are one", {hours(1, 8, 12), hours(1, 10, 14)}, at(1, 11), true, at(1, 14)},
    {"a window within another adds nothing", {hours(1, 8, 18), hours(1, 10, 12)}, at(1, 11), true, at(1, 18)},
    {"windows that touch at noon are one", {hours(1, 8, 12), hours(1, 12, 14)}, at(1, 11), true, at(1, 14)},
    {"until 24:00 and from 00:00 of the next day end nothing",
     {hours(1, 20, 24), hours(2, 0, 4)},
     at(1, 23),
     true,
     at(2, 4)},
    {"Sunday's last window goes on in Monday's first", {hours(6, 20, 24), hours(0, 0, 4)}, at(6, 23), true, at(7, 4)},
    {"and early on Monday it is still the same one", {hours(6, 20, 24), hours(0, 0, 4)}, at(7, 0), true, at(7, 4)},
    {"Sunday until 24:00 alone ends at Monday's first second", {hours(6, 20, 24)}, at(6, 23), true, at(7, 0)},
    {"Monday from 00:00 alone begins at the end of Sunday", {hours(0, 0, 4)}, at(6, 23), false, at(7, 0)},
    {"seven whole days always hold, and that never changes",
     {hours(0, 0, 24), hours(1, 0, 24), hours(2, 0, 24), hours(3, 0, 24), hours(4, 0, 24), hours(5, 0, 24),
      hours(6, 0, 24)},
     at(3, 3),
     true,
     std::nullopt},
    {"before 1970 the week goes on all the same",
     {hours(2, 0, 24)},
     UnixSeconds(std::chrono::seconds(-1)),
     true,
     UnixSeconds(std::chrono::seconds(0))},
    {"1 January 1970 was a Thursday",
     {hours(3, 0, 1)},
     UnixSeconds(std::chrono::seconds(0)),
     true,
     UnixSeconds(std::chrono::seconds(3600))},
};

TEST(WeeklyWindows, HoldsAndChanges) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const WeeklyWindows windows(row.windows);
    EXPECT_EQ(windows.holds(row.now), row.holds);
    EXPECT_EQ(windows.next_change(row.now), row.next);
  }
}

// What next_change() says is the first second at which holds() says something else.
TEST(WeeklyWindows, NextChangeIsTheFirstChange) {
  const WeeklyWindows windows(
      std::vector<Window>{hours(0, 0, 1), hours(2, 5, 7), hours(4, 23, 24), hours(5, 0, 2), hours(6, 22, 24)});
  for (std::int64_t hour = 0; hour < 7 * 24; ++hour) {
    const UnixSeconds now = at(0, hour, 30);
    const auto next = windows.next_change(now);
    ASSERT_TRUE(next.has_value());
    for (UnixSeconds then = now; then < *next; then += std::chrono::minutes(30)) {
      EXPECT_EQ(windows.holds(then), windows.holds(now)) << "hour " << hour;
    }
    EXPECT_NE(windows.holds(*next), windows.holds(now)) << "hour " << hour;
  }
}

TEST(WeeklyWindows, EqualWhenTheySayTheSame) {
  EXPECT_EQ(WeeklyWindows(std::vector<Window>{hours(1, 8, 12), hours(1, 12, 14)}),
            WeeklyWindows(std::vector<Window>{hours(1, 8, 14)}));
}

}  // namespace
}  // namespace fireline::policy
