// Waits until a burst of events has ended. Sans-I/O: time is an argument. Threads: one at a time.
#pragma once
#include <optional>

#include "core/base/time.h"

namespace fireline::platform {

class Debounce {
 public:
  // `longest`: events that never pause are answered this long after the first.
  constexpr Debounce(Duration quiet, Duration longest) noexcept : quiet_(quiet), longest_(longest) {}

  void event(Instant now) noexcept {
    if (!first_) first_ = now;
    last_ = now;
  }
  [[nodiscard]] std::optional<Instant> deadline() const noexcept {
    if (!first_) return std::nullopt;
    return last_ + quiet_ < *first_ + longest_ ? last_ + quiet_ : *first_ + longest_;
  }
  // True once when the deadline has passed; then it waits for the next event.
  [[nodiscard]] bool expire(Instant now) noexcept {
    const auto due = deadline();
    if (!due || now < *due) return false;
    first_.reset();
    return true;
  }

 private:
  Duration quiet_;
  Duration longest_;
  std::optional<Instant> first_;
  Instant last_{};
};

}  // namespace fireline::platform
