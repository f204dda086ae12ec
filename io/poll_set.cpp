#include "io/poll_set.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <span>
#include <system_error>

namespace fireline::io {
namespace {

// poll(2) and epoll_ctl(2) name what is used here by the same bits.
static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR && POLLHUP == EPOLLHUP);
constexpr std::uint32_t kAlwaysReported = EPOLLERR | EPOLLHUP;

bool control(int epoll, int operation, int fd, std::uint32_t events) noexcept {
  epoll_event event{.events = events, .data = {.fd = fd}};
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

PollSet::PollSet() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "cannot create an epoll descriptor");
}

void PollSet::add(int fd, short events, bool* ready) noexcept {
  if (count_ == kDescriptorsMax) std::abort();
  interests_[count_++] = {fd, events, ready};
}

void PollSet::wait(int milliseconds) noexcept {
  tell_kernel() ? wait_by_epoll(milliseconds) : wait_by_poll(milliseconds);
}

void PollSet::wait_by_epoll(int milliseconds) noexcept {
  std::array<epoll_event, kDescriptorsMax> events;  // not cleared: the kernel says how many it wrote
  const auto length = static_cast<int>(events.size());
  int found = ::epoll_wait(epoll_.get(), events.data(), length, milliseconds);
  // What interrupted the sleep may have made something ready: io_uring completes requests on the way out of it.
  if (found < 0 && errno == EINTR) found = ::epoll_wait(epoll_.get(), events.data(), length, 0);
  for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(std::max(found, 0)))) {
    const int fd = event.data.fd;
    const std::uint32_t reported = event.events;
    for (const Interest& interest : std::span(interests_).first(count_)) {
      const auto wanted = static_cast<std::uint32_t>(interest.events) | kAlwaysReported;
      if (interest.fd == fd && (reported & wanted) != 0 && interest.ready != nullptr) *interest.ready = true;
    }
  }
}

void PollSet::wait_by_poll(int milliseconds) noexcept {
  std::array<pollfd, kDescriptorsMax> waiting{};
  for (std::size_t i = 0; i < count_; ++i) waiting[i] = {interests_[i].fd, interests_[i].events, 0};
  if (::poll(waiting.data(), count_, milliseconds) <= 0) return;
  for (std::size_t i = 0; i < count_; ++i) {
    if (waiting[i].revents != 0 && interests_[i].ready != nullptr) *interests_[i].ready = true;
  }
}

bool PollSet::tell_kernel() noexcept {
  std::array<Watch, kDescriptorsMax> wanted;
  std::size_t wanted_count = 0;
  for (const Interest& interest : std::span(interests_).first(count_)) {
    const auto known = std::span(wanted).first(wanted_count);
    const auto same = std::ranges::find(known, interest.fd, &Watch::fd);
    if (same != known.end()) {
      same->events |= static_cast<std::uint32_t>(interest.events);
    } else {
      wanted[wanted_count++] = {interest.fd, static_cast<std::uint32_t>(interest.events)};
    }
  }
  const auto before = std::span(watches_).first(watch_count_);
  const auto now = std::span(wanted).first(wanted_count);
  if (std::ranges::equal(before, now)) return true;
  // Who waits for something else now is watched anew, which is rare: a writer whose device is full.
  for (const Watch& one : before) {
    if (std::ranges::find(now, one) == now.end()) (void)control(epoll_.get(), EPOLL_CTL_DEL, one.fd, 0);
  }
  std::size_t watched = 0;
  for (const Watch& one : now) {
    const bool stays = std::ranges::find(before, one) != before.end();
    if (stays || control(epoll_.get(), EPOLL_CTL_ADD, one.fd, one.events)) wanted[watched++] = one;
  }
  watches_ = wanted;
  watch_count_ = watched;
  return watched == wanted_count;
}

void PollSet::forget() noexcept {
  for (const Watch& one : std::span(watches_).first(watch_count_))
    (void)control(epoll_.get(), EPOLL_CTL_DEL, one.fd, 0);
  watch_count_ = 0;
}

}  // namespace fireline::io
