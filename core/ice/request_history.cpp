#include "core/ice/request_history.h"

#include <algorithm>
#include <bit>

namespace fireline::ice {

void RequestHistory::record(Instant sent, RequestId id, const Timing& timing) {
  // More than one goes when the timing changed to one that keeps fewer.
  while (requests_.size() >= timing.max_retransmits) {
    requests_.erase(requests_.begin());
    answered_ >>= 1;
  }
  requests_.push_back({id, sent});
}

std::optional<Duration> RequestHistory::answer(Instant now, RequestId id) noexcept {
  const auto index = find(id);
  if (!index) return std::nullopt;
  answered_ |= std::uint64_t{1} << *index;
  return now - requests_[*index].sent;
}

Instant RequestHistory::next(Instant now, const Timing& timing) const noexcept {
  if (requests_.empty()) return now;
  const std::uint32_t trailing = unanswered();
  // Answers may still be under way when the oldest of them is young; then nothing is known to be lost.
  const bool silent = trailing > 0 && now - requests_[requests_.size() - trailing].sent > timing.max_rto / 2;
  const Instant due = requests_.back().sent + timing.delay(silent ? trailing : kept());
  return std::min(due, now + timing.max_rto);
}

std::optional<Instant> RequestHistory::fails_at(const Timing& timing) const noexcept {
  if (unanswered() < timing.max_retransmits) return std::nullopt;
  return requests_.back().sent + timing.delay(timing.max_retransmits);
}

std::uint32_t RequestHistory::unanswered() const noexcept {
  if (requests_.empty()) return 0;
  const auto newest_first = answered_ << (64 - kept());
  return std::min(static_cast<std::uint32_t>(std::countl_zero(newest_first)), kept());
}

void RequestHistory::clear() noexcept {
  requests_.clear();
  answered_ = 0;
}

std::optional<std::uint32_t> RequestHistory::find(RequestId id) const noexcept {
  const auto found = std::ranges::find(requests_, id, &Request::id);
  if (found == requests_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - requests_.begin());
}

}  // namespace fireline::ice
