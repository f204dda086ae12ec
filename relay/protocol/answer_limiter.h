// How many answers go to senders that have not proved who they are: per source, an IPv4 address or an IPv6 /64, and in
// total. A forged source must not be flooded through the relay, and the relay must not spend itself on answering.
// Generic cell rate: one time per source instead of a bucket and a clock. Bounded; a forgotten source is one that has
// been silent, which equals a full bucket unless more than the table holds are active (then the total limit rules).
// Threads: one owner.
#pragma once
#include <cstdint>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/crypto/random.h"
#include "relay/protocol/limits.h"
#include "relay/protocol/lru_table.h"

namespace fireline::relay {

// When the next answer, or piece of other work, would be due if they came evenly.
class AnswerPace {
 public:
  // `burst` answers may come at once.
  [[nodiscard]] bool has_room(Instant now, Duration interval, std::uint32_t burst) const noexcept {
    return due_ - now <= interval * (std::int64_t{burst} - 1);
  }
  // From when on has_room() says so.
  [[nodiscard]] Instant room_at(Duration interval, std::uint32_t burst) const noexcept {
    return due_ - interval * (std::int64_t{burst} - 1);
  }
  void take(Instant now, Duration interval) noexcept { due_ = (due_ < now ? now : due_) + interval; }

 private:
  Instant due_{};
};

class AnswerLimiter {
 public:
  AnswerLimiter(const Limits& limits, crypto::Random& random) noexcept;

  enum class Verdict : std::uint8_t { answer, source_limit, total_limit };
  // Counts an answer to `source` when it says `answer`.
  [[nodiscard]] Verdict ask(Instant now, const IpAddress& source);

  [[nodiscard]] std::size_t sources() const noexcept { return sources_.size(); }

 private:
  Duration source_interval_;
  std::uint32_t source_burst_;
  Duration total_interval_;
  std::uint32_t total_burst_;
  AnswerPace total_;
  LruTable<IpAddress, AnswerPace> sources_;
};

}  // namespace fireline::relay
