// Time is an argument: core reads no clock. A loop reads both clocks once per turn and passes the pair on.
#pragma once
#include <algorithm>
#include <chrono>
#include <optional>

namespace fireline {

using Duration = std::chrono::nanoseconds;

// CLOCK_BOOTTIME: counts time in suspend, never runs backwards. It has no now() on purpose.
struct BootClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
using Instant = BootClock::time_point;

// CLOCK_REALTIME: for deadlines that arrive as Unix time. It may jump.
using UnixTime = std::chrono::sys_time<Duration>;

struct Now {
  Instant boot;
  UnixTime wall;
};

// Of two timers, either of which may not run.
[[nodiscard]] constexpr std::optional<Instant> earlier(std::optional<Instant> a, std::optional<Instant> b) noexcept {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace fireline
