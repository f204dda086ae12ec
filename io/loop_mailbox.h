// Letters from other threads to the event loop's thread: closures that it runs in the order in which they were posted.
//
// Lifetime: the loop outlives the mailbox. Destroyed on the loop's thread; letters that are left are dropped unread, so
// what they capture need not outlive it. Threads: post() from any; the rest from the loop's.
// Limits: kLettersPerTurn keeps the loop fair. The number of letters is bounded by who posts: see there.
// Errors: make() gives the errno.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <system_error>

#include "core/base/result.h"
#include "io/event_loop.h"

namespace fireline::io {

class LoopMailbox {
 public:
  using Letter = std::move_only_function<void()>;

  static constexpr std::size_t kLettersPerTurn = 64;  // some milliseconds of JSON at most

  [[nodiscard]] static Result<std::unique_ptr<LoopMailbox>, std::error_code> make(EventLoop& loop);
  ~LoopMailbox();
  LoopMailbox(const LoopMailbox&) = delete;
  LoopMailbox& operator=(const LoopMailbox&) = delete;

  void post(Letter letter);
  // For threads that may outlive the mailbox: what they post then is dropped.
  [[nodiscard]] std::function<void(Letter)> address() const;

 private:
  struct State;
  LoopMailbox(EventLoop& loop, std::shared_ptr<State> state) noexcept;

  EventLoop& loop_;
  std::shared_ptr<State> state_;
  EventLoop::Id watch_ = EventLoop::Id::none;
};

}  // namespace fireline::io
