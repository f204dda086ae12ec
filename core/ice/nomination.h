// Which pair carries data. Source: RFC 8445 section 8 as the Firezone baseline does it.
//
// Controlling: the best pair that answered; whenever its priority differs from that of the pair in use it is nominated,
// and data moves at once. Controlled: the best pair on which USE-CANDIDATE arrived, of those whose own check was
// answered if there are any (RFC 8445 section 7.3.1.5): who heard a request and sends it again from elsewhere must not
// move data to himself. Who also passes our checks on to the peer and the answers back is a path like any other, and
// one that was discovered ranks above a server-reflexive candidate. The first pair waits for nothing. Left out is one
// that the controlling side has left: its last USE-CANDIDATE is kDesertedAfter old, and kDesertedRequests have arrived
// on another pair since. Without that exception a gateway would send into a dead direct path until its own timeout of
// ten minutes. Of pairs with the same priority it is the one that the controlling side has gone over to. There is no
// timer and no special case for moving from a relay to a direct path.
//
// While the connection is idle the controlling side speaks every 25 s, so that both take kIdleSilence, and after that
// kAwakeAfter, in which what is sent on the pair in use wakes the peer and brings its next check. A pair that was
// silent before it went idle stays so until the controlling side speaks on it again.
//
// Lifetime: value. Threads: one owner. No allocation.
#pragma once
#include <chrono>
#include <optional>

#include "core/base/time.h"
#include "core/ice/check_list.h"
#include "core/ice/timing.h"

namespace fireline::ice {

inline constexpr Duration kDesertedAfter = std::chrono::seconds(10);
// Between pairs of the same priority at least, whatever the pace of the checks was.
inline constexpr Duration kGoneOverAfter = std::chrono::milliseconds(750);
// A check of an idle controlling side left out, with the quarter that is granted at any pace.
inline constexpr Duration kIdleSilence = kControllingIdle.max_rto + kControllingIdle.max_rto / 4;
// Two checks of an active controlling side: one may be lost.
inline constexpr Duration kAwakeAfter = 2 * kControllingActive.max_rto;

class Nomination {
 public:
  explicit Nomination(Role role) noexcept : role_(role) {}

  // What the controlling side's pace is taken to be: both go idle and wake with the same packets. Then update().
  void set_pace(Instant now, Pace pace) noexcept;

  // After each change of the pairs and at next_time(). Nominates in `list` where the choice is ours.
  void update(Instant now, CheckList& list) noexcept;

  // The pair in use; empty while there is none.
  [[nodiscard]] std::optional<PairId> selected() const noexcept { return selected_; }

  // As controlled: when the pair in use will have been left unless it is used again.
  [[nodiscard]] std::optional<Instant> next_time(Instant now, const CheckList& list) const noexcept;

 private:
  void choose_as_controlling(Instant now, CheckList& list) noexcept;
  void choose_as_controlled(Instant now, const CheckList& list) noexcept;

  [[nodiscard]] Instant silent_at(Instant last, Duration while_active) const noexcept;
  [[nodiscard]] std::optional<Instant> deserted_at(const Pair& pair, const CheckList& list) const noexcept;
  [[nodiscard]] bool is_gone_over(const Pair& from, const Pair& to) const noexcept;

  Role role_;
  Pace pace_ = Pace::active;
  Instant woken_ = Instant::min();         // when it was idle last
  Instant judged_until_ = Instant::min();  // when it was active last, and for longer than kAwakeAfter
  std::optional<PairId> selected_;
};

}  // namespace fireline::ice
