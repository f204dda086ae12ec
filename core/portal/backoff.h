// When to try again: exponential with jitter, and when to give up. The clock runs from the first error of a series; a
// sleep of the machine ends a series.
// Source: portal specification 1.7. Lifetime: a value per series. Threads: one owner.
#pragma once
#include <chrono>
#include <optional>

#include "core/base/time.h"
#include "core/crypto/random.h"

namespace fireline::portal {

class Backoff {
 public:
  static constexpr Duration kInitial = std::chrono::milliseconds(500);
  static constexpr Duration kMax = std::chrono::seconds(60);

  Backoff(Instant first_error, std::optional<Duration> give_up_after) noexcept
      : first_error_(first_error), give_up_after_(give_up_after) {}

  // Uniform in half to one and a half of the interval, which grows by half each time. Nothing: the limit would be
  // passed by waiting.
  [[nodiscard]] std::optional<Duration> next(Instant now, crypto::Random& random) noexcept;
  // As next(), with a delay that somebody else chose.
  [[nodiscard]] bool allows(Instant now, Duration delay) const noexcept;

 private:
  Instant first_error_;
  std::optional<Duration> give_up_after_;
  Duration interval_ = kInitial;
};

}  // namespace fireline::portal
