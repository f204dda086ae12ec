// A station is one piece of work of the data plane (reads a socket, runs the engine, writes the TUN). A LoopThread
// runs one or several of them; which thread runs which station is wiring, so that the same stations serve every thread
// mode.
//
// A station never blocks: turn() does a bounded amount of work and says whether it did any; arm() says what would give
// it more. Threads: both are called by the thread that runs the station.
#pragma once
#include <poll.h>

#include <array>
#include <cstddef>
#include <optional>

#include "core/base/time.h"

namespace fireline::io {

// What wakes a sleeping loop: descriptors and the earliest deadline. Rebuilt before each sleep.
class PollSet {
 public:
  static constexpr std::size_t kDescriptorsMax = 10;  // waker, timer, two sockets of two queues, TUN, and three writers

  void clear() noexcept {
    count_ = 0;
    deadline_.reset();
  }
  // `ready` is set to whether any of `events` (or an error) is there after the sleep; must live until then.
  void add(int fd, short events, bool* ready) noexcept;
  void add_deadline(Instant deadline) noexcept {
    if (!deadline_ || deadline < *deadline_) deadline_ = deadline;
  }
  [[nodiscard]] const std::optional<Instant>& deadline() const noexcept { return deadline_; }

  // Sleeps until something is ready or a signal came, then sets the `ready` flags.
  void sleep() noexcept { wait(-1); }
  // The same without the sleep.
  void look() noexcept { wait(0); }

 private:
  void wait(int milliseconds) noexcept;

  std::array<pollfd, kDescriptorsMax> fds_{};
  std::array<bool*, kDescriptorsMax> ready_{};
  std::size_t count_ = 0;
  std::optional<Instant> deadline_;
};

class Station {
 public:
  virtual ~Station() = default;
  // The thread that will run the station has started: adopt pools here.
  virtual void enter() {}
  // That thread is about to end; it, or another, may enter() again.
  virtual void leave() {}
  // Does at most one batch of each kind of work. True when there was any.
  [[nodiscard]] virtual bool turn(Now now) = 0;
  // Called when turn() had nothing to do, before the thread sleeps, and once in a while when others have work on end.
  virtual void arm(PollSet& set) = 0;
};

}  // namespace fireline::io
