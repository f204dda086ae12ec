// One thread that runs stations until told to stop. It sleeps only in its poll set. While some station always has
// work it does not sleep; what the others wait for is looked at once in kLookInterval.
//
// Lifetime: stations and wakers must outlive the running thread. Threads: start() and stop() from the control thread.
#pragma once
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/base/counters.h"
#include "io/file_descriptor.h"
#include "io/station.h"
#include "io/waker.h"

namespace fireline::io {

// Both clocks, read once per loop turn: CLOCK_BOOTTIME and CLOCK_REALTIME.
[[nodiscard]] Now read_clocks() noexcept;

class LoopThread {
 public:
  explicit LoopThread(std::string name);  // at most 15 characters, as the kernel shows them
  ~LoopThread() { stop(); }

  // About a turn of trains: whoever carries bulk data one way looks nearly behind each turn for what comes the other
  // way. A look takes 0.13 us; longer pings are what a longer interval costs (docs/performance.md).
  static constexpr Duration kLookInterval = std::chrono::microseconds(200);

  void add(Station& station) { stations_.push_back(&station); }
  [[nodiscard]] bool empty() const noexcept { return stations_.empty(); }
  [[nodiscard]] Waker& waker() noexcept { return waker_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  void start();
  // Joins; what the stations hold stays with them and goes on after the next start().
  void stop();
  [[nodiscard]] bool running() const noexcept { return thread_.joinable(); }

  // Turns and sleeps since the process began; gauges.
  [[nodiscard]] std::uint64_t turns() const noexcept { return turns_.get(); }
  [[nodiscard]] std::uint64_t sleeps() const noexcept { return sleeps_.get(); }

 private:
  void run();
  [[nodiscard]] bool turn_all();
  void arm_set();
  void look();
  void sleep();
  void set_timer(const std::optional<Instant>& deadline) noexcept;

  std::string name_;
  Waker waker_;
  FileDescriptor timer_;  // timerfd on CLOCK_BOOTTIME
  std::optional<Instant> armed_;
  Instant turned_at_{};
  Instant looked_at_{};
  bool slept_ = false;
  bool signalled_ = false;  // the waker's descriptor was readable
  std::vector<Station*> stations_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  PollSet set_;
  Counter turns_;
  Counter sleeps_;
};

}  // namespace fireline::io
