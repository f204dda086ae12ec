#include "io/loop_thread.h"

#include <pthread.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "io/blocked_signals.h"

namespace fireline::io {
namespace {

Duration read_clock(clockid_t clock) noexcept {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Now read_clocks() noexcept {
  return {Instant(read_clock(CLOCK_BOOTTIME)), UnixTime(read_clock(CLOCK_REALTIME))};
}

LoopThread::LoopThread(std::string name)
    : name_(std::move(name)), timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (timer_.get() < 0) throw std::system_error(errno, std::generic_category(), "cannot create a timer descriptor");
}

void LoopThread::start() {
  if (running() || stations_.empty()) return;
  stopping_.store(false, std::memory_order_release);
  const BlockedSignals inherited;
  // It names itself: from outside that is writing a file, which a filter of system calls may forbid.
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    run();
  });
}

void LoopThread::stop() {
  if (!running()) return;
  stopping_.store(true, std::memory_order_release);
  waker_.wake();
  thread_.join();
}

void LoopThread::run() {
  for (Station* station : stations_) station->enter();
  while (!stopping_.load(std::memory_order_acquire)) {
    if (turn_all()) {
      if (turned_at_ - looked_at_ >= kLookInterval) look();
      continue;
    }
    waker_.announce_sleep();
    if (!stopping_.load(std::memory_order_acquire) && !turn_all()) sleep();
    waker_.awake(std::exchange(signalled_, false));
  }
  set_.forget();  // what leaves may be closed, and its number be another's at the next start
  for (Station* station : stations_) station->leave();
}

bool LoopThread::turn_all() {
  turns_.add();
  const Now now = read_clocks();
  turned_at_ = now.boot;
  if (std::exchange(slept_, false)) looked_at_ = turned_at_;  // to wake up is to have looked
  bool worked = false;
  for (Station* station : stations_) worked |= station->turn(now);
  return worked;
}

// A look watches what a sleep does, though a turn reads the clock and serves the waker's callers anyway: two sets that
// differ would have the kernel told of each change.
void LoopThread::arm_set() {
  set_.clear();
  set_.add(waker_.fd(), POLLIN, &signalled_);
  for (Station* station : stations_) station->arm(set_);
  if (set_.deadline()) set_.add(timer_.get(), POLLIN, nullptr);
}

void LoopThread::look() {
  arm_set();
  set_.look();
  looked_at_ = turned_at_;
}

void LoopThread::sleep() {
  sleeps_.add();
  arm_set();
  if (set_.deadline()) set_timer(set_.deadline());
  set_.sleep();
  slept_ = true;
}

void LoopThread::set_timer(const std::optional<Instant>& deadline) noexcept {
  // Most sleeps keep the deadline of the one before; a timer that has fired stays readable until it is set again.
  if (armed_ == deadline && *deadline > read_clocks().boot) return;
  armed_ = deadline;
  const auto since_boot = std::max<Duration>(deadline->time_since_epoch(), Duration(1));
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(std::chrono::duration_cast<std::chrono::seconds>(since_boot).count());
  spec.it_value.tv_nsec = static_cast<long>((since_boot % std::chrono::seconds(1)).count());
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

}  // namespace fireline::io
