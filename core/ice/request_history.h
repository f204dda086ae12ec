// The requests that a pair sent last: which were answered, when the next one is due, and when the pair has failed.
// Source: RFC 8445 section 14 for the idea; the rules are the Firezone baseline's: a new pair ramps up from the initial
// RTO, a healthy one is checked every max RTO, and one that stops answering is probed from the initial RTO again.
// Lifetime: value. Threads: one owner. Limits: Timing::max_retransmits requests; allocates up to that and no more.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/time.h"
#include "core/ice/timing.h"

namespace fireline::ice {

// The random part of a transaction id; the rest is the same for all of an agent.
using RequestId = std::uint64_t;

class RequestHistory {
 public:
  void record(Instant sent, RequestId id, const Timing& timing);

  // The time since request `id` was sent; empty when it is not known (any more). Answering twice is harmless.
  std::optional<Duration> answer(Instant now, RequestId id) noexcept;
  [[nodiscard]] bool has(RequestId id) const noexcept { return find(id).has_value(); }

  // When to send the next one, as far as known at `now`; ask again after record, answer and a change of timing.
  [[nodiscard]] Instant next(Instant now, const Timing& timing) const noexcept;

  // Set when as many requests as are kept all lack an answer: the moment at which the pair fails.
  [[nodiscard]] std::optional<Instant> fails_at(const Timing& timing) const noexcept;

  // Consecutive requests without an answer, counted from the newest back.
  [[nodiscard]] std::uint32_t unanswered() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return requests_.empty(); }
  void clear() noexcept;

 private:
  struct Request {
    RequestId id;
    Instant sent;
  };
  [[nodiscard]] std::optional<std::uint32_t> find(RequestId id) const noexcept;
  [[nodiscard]] std::uint32_t kept() const noexcept { return static_cast<std::uint32_t>(requests_.size()); }

  std::vector<Request> requests_;  // oldest first
  std::uint64_t answered_ = 0;     // bit i: requests_[i] was
  static_assert(kRequestsMax <= 64);
};

}  // namespace fireline::ice
