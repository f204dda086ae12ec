// The wall clock of the simulated world at a moment of boot time; a host's own may be wrong by an offset.
#pragma once
#include "core/base/time.h"

namespace fireline::sim {

inline constexpr UnixTime kWallStart{std::chrono::seconds(1'790'000'000)};
inline constexpr Instant kBootStart{std::chrono::seconds(1000)};

[[nodiscard]] inline Now now_at(Instant boot, Duration wall_offset = Duration::zero()) noexcept {
  return {boot, kWallStart + (boot - kBootStart) + wall_offset};
}

}  // namespace fireline::sim
