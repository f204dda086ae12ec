// Something that fails while the host is short of descriptors or memory, tried again until it is done.
// Lifetime: the loop outlives it; the attempt may not destroy it. Threads: the loop's.
#pragma once
#include <chrono>
#include <functional>
#include <utility>

#include "core/base/time.h"
#include "io/event_loop.h"

namespace fireline {

class Retry {
 public:
  // Shortages end with other processes; an attempt is some system calls.
  static constexpr Duration kInterval = std::chrono::seconds(1);

  // `attempt` is true when it is done.
  Retry(io::EventLoop& loop, std::function<bool()> attempt, Duration interval = kInterval)
      : loop_(loop), attempt_(std::move(attempt)), interval_(interval) {}
  ~Retry() { loop_.cancel(timer_); }
  Retry(const Retry&) = delete;
  Retry& operator=(const Retry&) = delete;

  // At once, and every interval until it is done.
  void start() {
    loop_.cancel(std::exchange(timer_, io::EventLoop::Id::none));
    failing_ = !attempt_();
    if (failing_) timer_ = loop_.after(interval_, [this] { start(); });
  }
  // The last attempt failed: what a further one says of that was said.
  [[nodiscard]] bool failing() const noexcept { return failing_; }

 private:
  io::EventLoop& loop_;
  std::function<bool()> attempt_;
  Duration interval_;
  bool failing_ = false;
  io::EventLoop::Id timer_ = io::EventLoop::Id::none;
};

}  // namespace fireline
