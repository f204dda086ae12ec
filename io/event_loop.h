// The control thread's loop: descriptors, timers and signals over one epoll instance. It has no thread of its own:
// whoever calls run() is the loop.
//
// Handlers may add and remove any watch or timer, their own included; a handler that was removed is not called again,
// not even for an event that the kernel had reported already.
// Lifetime: watched descriptors belong to the caller, who unwatches before closing. Handlers must not outlive what
// they capture.
// Threads: everything on the loop's thread; stop() from a handler. Other threads wake it through an eventfd they watch.
// Errors: make() gives the errno; watch() gives false when a limit or the kernel refuses.
// Limits: kWatchesMax descriptors and kTimersMax timers: the control thread serves a few listeners, their bounded
// clients (at most 16 each) and some kernel notifications.
#pragma once
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "core/base/result.h"
#include "core/base/time.h"
#include "io/file_descriptor.h"

namespace fireline::io {

class EventLoop {
 public:
  using Events = std::uint32_t;  // EPOLLIN, EPOLLOUT; EPOLLERR and EPOLLHUP come unasked
  using FdHandler = std::move_only_function<void(Events)>;
  using TimerHandler = std::move_only_function<void()>;
  using SignalHandler = std::move_only_function<void(int signal)>;

  // Names a watch or a timer; never reused. Zero names none.
  enum class Id : std::uint64_t { none = 0 };

  static constexpr std::size_t kWatchesMax = 256;
  static constexpr std::size_t kTimersMax = 256;

  [[nodiscard]] static Result<std::unique_ptr<EventLoop>, std::error_code> make();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Level-triggered. Id::none when the kernel refuses or the limit is reached.
  [[nodiscard]] Id watch(int fd, Events events, FdHandler handler);
  // Zero pauses a watch; EPOLLERR and EPOLLHUP are still reported.
  void change(Id id, Events events);
  void unwatch(Id id);

  // Once, at or after the deadline; a deadline in the past fires in the next turn. Id::none at the limit.
  [[nodiscard]] Id at(Instant deadline, TimerHandler handler);
  [[nodiscard]] Id after(Duration delay, TimerHandler handler) { return at(now().boot + delay, std::move(handler)); }
  void cancel(Id id);

  // Blocks the signals in this thread (threads started later inherit that) and delivers them to the handler.
  // Call at most once.
  [[nodiscard]] bool watch_signals(std::initializer_list<int> signals, SignalHandler handler);

  // Both clocks, as read when the current turn began.
  [[nodiscard]] Now now() const noexcept { return now_; }

  // For a loop that sleeps elsewhere: readable while turn() has work. That loop calls turn(Duration::zero()) then, and
  // once before it sleeps for the first time.
  [[nodiscard]] int fd() const noexcept { return epoll_.get(); }

  // Until stop(). The handlers of a turn that has begun are still called.
  void run();
  void stop() noexcept { stopping_ = true; }
  // One turn: waits for at most `wait`, then calls whatever is due.
  void turn(std::optional<Duration> wait = std::nullopt);

 private:
  struct Watch {
    int fd = -1;
    FdHandler handler;
  };
  EventLoop(FileDescriptor epoll, FileDescriptor timer) noexcept;

  void fire_timers();
  void arm();
  void read_signals(SignalHandler& handler);

  FileDescriptor epoll_;
  FileDescriptor timer_;  // timerfd on CLOCK_BOOTTIME, armed for the earliest timer
  FileDescriptor signals_;
  Now now_;
  bool stopping_ = false;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Watch>> watches_;
  // Ordered by deadline, then by age.
  std::map<std::pair<Instant, std::uint64_t>, TimerHandler> timers_;
  std::unordered_map<std::uint64_t, Instant> deadlines_;
  std::optional<Instant> armed_;
};

}  // namespace fireline::io
