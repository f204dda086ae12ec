// The times of a week at which a policy holds: half-open windows in UTC, joined where they touch or overlap, so that
// "until 24:00" and "from 00:00" of the next day end nothing. UTC has neither offset nor daylight saving.
// Lifetime: a value. Threads: any. Limit: kWindowsMax.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fireline::policy {

using UnixSeconds = std::chrono::sys_seconds;

// Seven days of 24 windows each say everything that hours can say.
inline constexpr std::size_t kWindowsMax = 168;
inline constexpr std::int64_t kSecondsOfDay = 86'400;
inline constexpr std::int64_t kSecondsOfWeek = 7 * kSecondsOfDay;

// Seconds since Monday 00:00 UTC; `first` below `end`, `end` at most kSecondsOfWeek and not part of it.
struct Window {
  std::int64_t first = 0;
  std::int64_t end = 0;
  friend auto operator<=>(const Window&, const Window&) noexcept = default;
};

class WeeklyWindows {
 public:
  WeeklyWindows() = default;  // never
  explicit WeeklyWindows(std::span<const Window> windows);

  [[nodiscard]] bool holds(UnixSeconds now) const noexcept;
  // Strictly after `now`, when holds() changes; empty when it never does (never, or all week).
  [[nodiscard]] std::optional<UnixSeconds> next_change(UnixSeconds now) const noexcept;

  // Sorted, apart from each other.
  [[nodiscard]] const std::vector<Window>& windows() const noexcept { return windows_; }
  friend bool operator==(const WeeklyWindows&, const WeeklyWindows&) noexcept = default;

 private:
  std::vector<Window> windows_;
};

}  // namespace fireline::policy
