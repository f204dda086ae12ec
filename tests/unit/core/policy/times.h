// Points of one week for the tests of policies: Monday 16 November 2026 and later, in UTC.
#pragma once
#include <chrono>
#include <cstdint>

#include "core/policy/weekly_windows.h"

namespace fireline::policy {

inline constexpr UnixSeconds kMonday = std::chrono::sys_days(std::chrono::year(2026) / 11 / 16);

// Days after that Monday, and the time of that day.
[[nodiscard]] constexpr UnixSeconds at(std::int64_t day, std::int64_t hour = 0, std::int64_t minute = 0,
                                       std::int64_t second = 0) {
  return kMonday + std::chrono::seconds(day * kSecondsOfDay + hour * 3600 + minute * 60 + second);
}

[[nodiscard]] constexpr Window hours(std::int64_t day, std::int64_t first, std::int64_t end) {
  return {.first = day * kSecondsOfDay + first * 3600, .end = day * kSecondsOfDay + end * 3600};
}

}  // namespace fireline::policy
