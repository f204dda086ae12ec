#include "core/policy/weekly_windows.h"

#include <algorithm>

namespace fireline::policy {
namespace {

// 1 January 1970 was a Thursday: the Monday before it lies three days back.
constexpr std::int64_t kEpochInWeek = 3 * kSecondsOfDay;

std::int64_t second_of_week(UnixSeconds now) noexcept {
  const std::int64_t second = (now.time_since_epoch().count() + kEpochInWeek) % kSecondsOfWeek;
  return second < 0 ? second + kSecondsOfWeek : second;
}

}  // namespace

WeeklyWindows::WeeklyWindows(std::span<const Window> windows) : windows_(windows.begin(), windows.end()) {
  std::ranges::sort(windows_);
  std::size_t kept = 0;
  for (const Window& window : windows_) {
    if (kept > 0 && window.first <= windows_[kept - 1].end) {
      windows_[kept - 1].end = std::max(windows_[kept - 1].end, window.end);
    } else {
      windows_[kept++] = window;
    }
  }
  windows_.resize(kept);
}

bool WeeklyWindows::holds(UnixSeconds now) const noexcept {
  const std::int64_t second = second_of_week(now);
  return std::ranges::any_of(windows_, [second](const Window& w) { return w.first <= second && second < w.end; });
}

std::optional<UnixSeconds> WeeklyWindows::next_change(UnixSeconds now) const noexcept {
  if (windows_.empty()) return std::nullopt;
  const bool over_sunday = windows_.front().first == 0 && windows_.back().end == kSecondsOfWeek;
  if (over_sunday && windows_.size() == 1) return std::nullopt;

  // The edges of this week and of the next one, in order; where Sunday's window goes on in Monday's is none.
  const std::int64_t second = second_of_week(now);
  for (const std::int64_t week : {std::int64_t{0}, kSecondsOfWeek}) {
    for (const Window& window : windows_) {
      for (const std::int64_t edge : {window.first, window.end}) {
        const bool inner = over_sunday && (edge == 0 || edge == kSecondsOfWeek);
        if (!inner && week + edge > second) return now + std::chrono::seconds(week + edge - second);
      }
    }
  }
  return std::nullopt;  // not reached: the next week has an edge
}

}  // namespace fireline::policy
