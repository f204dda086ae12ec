// When a pair is checked and when it is given up. Source: the Firezone baseline's four sets of values.
// A client gives up soon, because only it can connect anew; a gateway keeps its pairs for ten minutes.
// Constants and pure functions. Threads: any.
#pragma once
#include <chrono>
#include <cstdint>

#include "core/base/time.h"
#include "core/ice/priority.h"

namespace fireline::ice {

enum class Pace : std::uint8_t { active, idle };

struct Timing {
  Duration initial_rto;
  Duration max_rto;
  std::uint32_t max_retransmits;

  // From the last request to the next when `unanswered` were sent.
  [[nodiscard]] constexpr Duration delay(std::uint32_t unanswered) const noexcept {
    if (unanswered == 0) return Duration::zero();
    Duration rto = initial_rto;
    for (std::uint32_t i = 1; i < unanswered && rto < max_rto; ++i) rto *= 2;
    return rto < max_rto ? rto : max_rto;
  }

  // From the first request of a pair that is never answered to its failure.
  [[nodiscard]] constexpr Duration timeout() const noexcept {
    Duration sum = Duration::zero();
    for (std::uint32_t n = 0; n <= max_retransmits; ++n) sum += delay(n);
    return sum;
  }
};

inline constexpr Timing kControllingActive{std::chrono::milliseconds(250), std::chrono::milliseconds(1500), 12};
inline constexpr Timing kControllingIdle{std::chrono::seconds(25), std::chrono::seconds(25), 4};
inline constexpr Timing kControlledActive{std::chrono::milliseconds(250), std::chrono::seconds(15), 45};
inline constexpr Timing kControlledIdle{std::chrono::seconds(25), std::chrono::seconds(25), 40};

// The largest max_retransmits: how many requests of a pair are remembered.
inline constexpr std::uint32_t kRequestsMax = 45;

static_assert(kControllingActive.timeout() == std::chrono::milliseconds(15'250));
static_assert(kControllingIdle.timeout() == std::chrono::seconds(100));
static_assert(kControlledActive.timeout() == std::chrono::milliseconds(600'750));
static_assert(kControlledIdle.timeout() == std::chrono::seconds(1000));
static_assert(kControlledActive.max_retransmits == kRequestsMax);

[[nodiscard]] constexpr Timing timing_of(Role role, Pace pace) noexcept {
  if (role == Role::controlling) return pace == Pace::active ? kControllingActive : kControllingIdle;
  return pace == Pace::active ? kControlledActive : kControlledIdle;
}

}  // namespace fireline::ice
