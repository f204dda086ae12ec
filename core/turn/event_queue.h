// The events of one allocation until its owner takes them, oldest first.
// Lifetime: owned by an allocation. Threads: one. No allocation.
// Limit: kEventsMax. One call makes at most seven events (two host or server-reflexive changes, or two relayed
// addresses and the end), and the owner drains after each; four times that means that it does not, and aborts.
#pragma once
#include <array>
#include <cstddef>
#include <cstdlib>
#include <optional>

#include "core/turn/event.h"

namespace fireline::turn {

inline constexpr std::size_t kEventsMax = 28;

class EventQueue {
 public:
  void push(const Event& event) noexcept {
    if (size_ == kEventsMax) std::abort();
    events_[(first_ + size_) % kEventsMax] = event;
    ++size_;
  }
  [[nodiscard]] std::optional<Event> pop() noexcept {
    if (size_ == 0) return std::nullopt;
    const Event event = events_[first_];
    first_ = (first_ + 1) % kEventsMax;
    --size_;
    return event;
  }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  std::array<Event, kEventsMax> events_{};
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace fireline::turn
