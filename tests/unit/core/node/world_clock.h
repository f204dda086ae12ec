// Runs a simulated world: its queue's events and its parts' timers, each at its exact time.
// Lifetime: queue and parts outlive it. Threads: one.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>

#include "tests/sim/event_queue.h"

namespace fireline::node {

class WorldClock {
 public:
  explicit WorldClock(sim::EventQueue& queue) : queue_(queue) {}

  // Whatever has poll_timeout() and handle_timeout().
  template <class Part>
  void add(Part& part) {
    parts_.push_back({[&part] { return part.poll_timeout(); }, [&part] { part.handle_timeout(); }});
  }

  void run(Duration duration) {
    static_cast<void>(run_until([] { return false; }, duration));
  }

  // Until the condition holds; false when the time is over.
  bool run_until(const std::function<bool()>& condition, Duration limit) {
    const Instant end = queue_.now() + limit;
    int same = 0;
    for (;;) {
      if (condition()) return true;
      const Instant before = queue_.now();
      Instant next = queue_.next();
      for (const Part& part : parts_) next = std::min(next, part.poll().value_or(next));
      if (next > end) {
        queue_.advance_to(end);
        return false;
      }
      next = std::max(next, before);
      same = next == before ? same + 1 : 0;
      if (same > kSameTimeMax) {
        ADD_FAILURE() << "a timer repeats without progress";
        return false;
      }
      if (queue_.next() <= next) {
        queue_.run_next();
      } else {
        queue_.advance_to(next);
      }
      for (std::size_t i = 0; i < parts_.size(); ++i) {  // a part may add others
        if (parts_[i].poll().value_or(Instant::max()) <= queue_.now()) parts_[i].run();
      }
    }
  }

 private:
  static constexpr int kSameTimeMax = 200;  // turns of one instant
  struct Part {
    std::function<std::optional<Instant>()> poll;
    std::function<void()> run;
  };

  sim::EventQueue& queue_;
  std::deque<Part> parts_;
};

}  // namespace fireline::node
