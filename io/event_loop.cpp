#include "io/event_loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "io/loop_thread.h"

namespace fireline::io {
namespace {

constexpr std::uint64_t kTimerToken = 0;  // no watch has this id
constexpr int kEventsPerTurn = 64;        // more wait for the next turn: epoll keeps their order

std::error_code last_error() noexcept {
  return {errno, std::system_category()};
}

int milliseconds_up(Duration wait) noexcept {
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(std::max(wait, Duration::zero())).count();
  return static_cast<int>(std::min<std::int64_t>(whole, std::numeric_limits<int>::max()));
}

}  // namespace

EventLoop::EventLoop(FileDescriptor epoll, FileDescriptor timer) noexcept
    : epoll_(std::move(epoll)), timer_(std::move(timer)), now_(read_clocks()) {}

EventLoop::~EventLoop() = default;

Result<std::unique_ptr<EventLoop>, std::error_code> EventLoop::make() {
  FileDescriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return err(last_error());
  FileDescriptor timer(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer) return err(last_error());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kTimerToken;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) return err(last_error());
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll), std::move(timer)));
}

EventLoop::Id EventLoop::watch(int fd, Events events, FdHandler handler) {
  if (watches_.size() >= kWatchesMax) return Id::none;
  const auto id = ++last_id_;
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return Id::none;
  watches_.emplace(id, std::make_shared<Watch>(Watch{fd, std::move(handler)}));
  return Id{id};
}

void EventLoop::change(Id id, Events events) {
  const auto found = watches_.find(std::to_underlying(id));
  if (found == watches_.end()) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = found->first;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, found->second->fd, &event);
}

void EventLoop::unwatch(Id id) {
  const auto found = watches_.find(std::to_underlying(id));
  if (found == watches_.end()) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr);
  watches_.erase(found);
}

EventLoop::Id EventLoop::at(Instant deadline, TimerHandler handler) {
  if (timers_.size() >= kTimersMax) return Id::none;
  const auto id = ++last_id_;
  timers_.emplace(std::pair(deadline, id), std::move(handler));
  deadlines_.emplace(id, deadline);
  return Id{id};
}

void EventLoop::cancel(Id id) {
  const auto found = deadlines_.find(std::to_underlying(id));
  if (found == deadlines_.end()) return;
  timers_.erase(std::pair(found->second, found->first));
  deadlines_.erase(found);
}

bool EventLoop::watch_signals(std::initializer_list<int> signals, SignalHandler handler) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return false;
  signals_ = FileDescriptor(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_) return false;
  return watch(signals_.get(), EPOLLIN,
               [this, handler = std::move(handler)](Events) mutable { read_signals(handler); }) != Id::none;
}

void EventLoop::run() {
  stopping_ = false;
  while (!stopping_) turn();
}

void EventLoop::turn(std::optional<Duration> wait) {
  arm();
  std::array<epoll_event, kEventsPerTurn> events{};
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, wait ? milliseconds_up(*wait) : -1);
  now_ = read_clocks();
  for (int i = 0; i < count; ++i) {
    // By value: epoll_event is packed, its members are not aligned.
    const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
    const Events reported = events[static_cast<std::size_t>(i)].events;
    if (token == kTimerToken) {
      std::uint64_t expirations = 0;
      [[maybe_unused]] const auto bytes = ::read(timer_.get(), &expirations, sizeof(expirations));
      armed_.reset();
      continue;
    }
    const auto found = watches_.find(token);
    if (found == watches_.end()) continue;  // removed by an earlier handler of this turn
    const auto watch = found->second;       // stays alive while its handler removes it
    watch->handler(reported);
  }
  fire_timers();
  // Also here, for who sleeps on fd().
  arm();
}

void EventLoop::fire_timers() {
  // Timers that handlers add for "at once" wait for the next turn, so that this loop ends.
  const auto newest = last_id_;
  auto next = timers_.begin();
  while (next != timers_.end() && next->first.first <= now_.boot) {
    if (next->first.second > newest) {
      ++next;
      continue;
    }
    auto handler = std::move(next->second);
    deadlines_.erase(next->first.second);
    timers_.erase(next);
    handler();
    next = timers_.begin();
  }
}

void EventLoop::arm() {
  const auto earliest = timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first.first);
  if (armed_ == earliest) return;
  armed_ = earliest;
  itimerspec spec{};
  if (earliest) {
    // Zero would disarm: the past is one nanosecond after boot.
    const auto since_boot = std::max(earliest->time_since_epoch(), Duration(1));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
    spec.it_value.tv_sec = static_cast<time_t>(seconds.count());
    spec.it_value.tv_nsec = static_cast<long>((since_boot - seconds).count());
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void EventLoop::read_signals(SignalHandler& handler) {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    handler(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace fireline::io
