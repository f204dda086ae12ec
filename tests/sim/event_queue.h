// The virtual clock and what happens when. Events of one instant run in the order in which they were scheduled.
// Lifetime: what a scheduled function refers to must live until it ran or the queue is gone. Threads: one.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "tests/sim/clock.h"

namespace fireline::sim {

class EventQueue {
 public:
  using Action = std::function<void()>;

  [[nodiscard]] Instant now() const noexcept { return now_; }
  // Never backwards.
  void advance_to(Instant time) noexcept { now_ = std::max(now_, time); }

  void at(Instant time, Action action) {
    events_.push_back({std::max(time, now_), scheduled_++, std::move(action)});
    std::push_heap(events_.begin(), events_.end(), later);
  }
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

  [[nodiscard]] bool empty() const noexcept { return events_.empty(); }
  [[nodiscard]] Instant next() const noexcept { return events_.empty() ? Instant::max() : events_.front().time; }

  // Runs the next event at its time; not when empty.
  void run_next() {
    std::pop_heap(events_.begin(), events_.end(), later);
    Event event = std::move(events_.back());
    events_.pop_back();
    advance_to(event.time);
    event.action();
  }

 private:
  struct Event {
    Instant time;
    std::uint64_t order = 0;
    Action action;
  };
  [[nodiscard]] static bool later(const Event& a, const Event& b) noexcept {
    return a.time != b.time ? a.time > b.time : a.order > b.order;
  }

  Instant now_ = kBootStart;
  std::uint64_t scheduled_ = 0;
  std::vector<Event> events_;
};

}  // namespace fireline::sim
