#include "io/loop_mailbox.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <mutex>

namespace fireline::io {

struct LoopMailbox::State {
  std::mutex mutex;
  std::deque<Letter> letters;
  bool closed = false;
  FileDescriptor event;

  // The mutex is held: the descriptor is not closed meanwhile.
  void signal() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event.get(), &one, sizeof one);
  }

  void put(Letter letter) {
    const std::lock_guard lock(mutex);
    if (closed) return;
    letters.push_back(std::move(letter));
    if (letters.size() == 1) signal();
  }

  [[nodiscard]] Letter take() {
    const std::lock_guard lock(mutex);
    if (letters.empty()) return nullptr;
    Letter letter = std::move(letters.front());
    letters.pop_front();
    return letter;
  }

  void deliver() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto drained = ::read(event.get(), &count, sizeof count);
    for (std::size_t i = 0; i < kLettersPerTurn; ++i) {
      Letter letter = take();
      if (!letter) return;
      letter();  // may destroy the mailbox: then there is no further letter
    }
    const std::lock_guard lock(mutex);
    if (!letters.empty()) signal();
  }
};

Result<std::unique_ptr<LoopMailbox>, std::error_code> LoopMailbox::make(EventLoop& loop) {
  auto state = std::make_shared<State>();
  state->event = FileDescriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!state->event) return err(std::error_code(errno, std::system_category()));
  std::unique_ptr<LoopMailbox> mailbox(new LoopMailbox(loop, std::move(state)));
  mailbox->watch_ = loop.watch(mailbox->state_->event.get(), EPOLLIN, [state = mailbox->state_](EventLoop::Events) {
    // Also when a letter destroys the mailbox and this closure with it.
    const auto alive = state;  // NOLINT(performance-unnecessary-copy-initialization)
    alive->deliver();
  });
  if (mailbox->watch_ == EventLoop::Id::none) return err(std::make_error_code(std::errc::too_many_files_open));
  return mailbox;
}

LoopMailbox::LoopMailbox(EventLoop& loop, std::shared_ptr<State> state) noexcept
    : loop_(loop), state_(std::move(state)) {}

LoopMailbox::~LoopMailbox() {
  loop_.unwatch(watch_);
  std::deque<Letter> left;
  const std::lock_guard lock(state_->mutex);
  state_->closed = true;
  left.swap(state_->letters);
}

void LoopMailbox::post(Letter letter) {
  state_->put(std::move(letter));
}

std::function<void(LoopMailbox::Letter)> LoopMailbox::address() const {
  return [state = state_](Letter letter) { state->put(std::move(letter)); };
}

}  // namespace fireline::io
