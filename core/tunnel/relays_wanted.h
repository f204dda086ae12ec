// When the portal is asked for relays. Client and gateway need some and know of none: at once, and then as long as it
// stays so with growing pauses. A relay that refuses or never answers is in every list that the portal gives, so that
// who asks whenever the last relay is given up would log in without a pause.
//
//   first, or kRelayAsksForgotten after the last one   at once
//   then                                               kRelayAskPause behind it, twice that each time, at most
//                                                      kRelayAskPauseMax
//
// Source: portal specification 10, lesson 15; the pauses are fireline's own. Lifetime: values. Threads: one owner.
#pragma once
#include <algorithm>
#include <chrono>
#include <optional>

#include "core/base/time.h"

namespace fireline::tunnel {

inline constexpr Duration kRelayAskPause = std::chrono::seconds(1);
inline constexpr Duration kRelayAskPauseMax = std::chrono::seconds(60);
inline constexpr Duration kRelayAsksForgotten = 2 * kRelayAskPauseMax;

// An event of client and gateway: no relay is known, or the last one is gone. Connect to the portal anew, whose `init`
// brings some.
struct RelaysWanted {};

class RelayAsks {
 public:
  // Behind each call poll() is due, at once or later.
  void want() noexcept { wanted_ = true; }
  // Some have come.
  void settle() noexcept { wanted_ = false; }

  // True: ask now.
  [[nodiscard]] bool poll(Instant now) noexcept {
    if (!wanted_ || (asked_ && now < *asked_ + pause_)) return false;
    const bool again = asked_ && now - *asked_ < kRelayAsksForgotten;
    pause_ = again ? std::min(2 * pause_, kRelayAskPauseMax) : kRelayAskPause;
    asked_ = now;
    wanted_ = false;
    return true;
  }
  // Of the next question; may lie in the past.
  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept {
    if (!wanted_) return std::nullopt;
    return asked_ ? *asked_ + pause_ : Instant::min();
  }

 private:
  bool wanted_ = false;
  std::optional<Instant> asked_;
  Duration pause_ = kRelayAskPause;
};

}  // namespace fireline::tunnel
