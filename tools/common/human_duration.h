// Lengths of time as people write them: "30s", "5m", "1h 30m", "30d", "1week". Units as in the humantime that
// Firezone's programs read: s, m, h, d, w with their words, and ms. Pure.
#pragma once
#include <optional>
#include <string_view>

#include "core/base/time.h"

namespace fireline {

// Ten years: more is a mistake and would not fit everywhere.
inline constexpr Duration kHumanDurationMax = std::chrono::hours(10 * 365 * 24);

// One or more numbers with a unit each, spaces anywhere between. Empty for anything else, a number without a unit
// included, and beyond kHumanDurationMax.
[[nodiscard]] std::optional<Duration> parse_human_duration(std::string_view text);

}  // namespace fireline
