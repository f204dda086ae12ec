#include "core/portal/backoff.h"

#include <algorithm>
#include <array>

namespace fireline::portal {

std::optional<Duration> Backoff::next(Instant now, crypto::Random& random) noexcept {
  std::array<std::byte, 8> bytes;
  random.fill(bytes);
  // interval_ is below 2^36 ns; 20 random bits are finer than any timer needs.
  const auto fraction = static_cast<Duration::rep>(load_le64(bytes, 0) >> 44);
  const Duration delay = interval_ / 2 + Duration(interval_.count() * fraction >> 20);
  if (!allows(now, delay)) return std::nullopt;
  interval_ = std::min(interval_ + interval_ / 2, kMax);
  return delay;
}

bool Backoff::allows(Instant now, Duration delay) const noexcept {
  return !give_up_after_ || now - first_error_ + delay <= *give_up_after_;
}

}  // namespace fireline::portal
