#include "io/tun_queues.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

namespace fireline::io {
namespace {

bool watch(int epoll, int queue, std::size_t place) noexcept {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = place}};
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, queue, &event) == 0;
}

}  // namespace

std::optional<IoError> TunQueues::add(FileDescriptor queue) {
  if (queues_.size() >= kTunQueuesMax) {
    return IoError{.code = ENOSPC, .operation = "watch", .context = "another queue of a TUN device"};
  }
  if (!epoll_) {
    FileDescriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll || !watch(epoll.get(), first(), 0)) return last_error("watch", "the queues of a TUN device");
    epoll_ = std::move(epoll);
  }
  if (!watch(epoll_.get(), queue.get(), queues_.size())) return last_error("watch", "a queue of a TUN device");
  queues_.push_back(std::move(queue));
  return std::nullopt;
}

void TunQueues::begin() noexcept {
  const std::size_t from = count_ == 0 ? 0 : ready_[at_];
  const bool sparse_first = round_complete_;
  at_ = 0;
  round_bytes_ = 0;
  round_complete_ = false;
  if (!epoll_) {
    count_ = 1;
    return;
  }
  std::array<epoll_event, kTunQueuesMax> events;  // not cleared: the kernel says how many it wrote
  const int found = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  count_ = static_cast<std::size_t>(std::max(found, 0));
  std::uint32_t all = 0;
  for (const epoll_event& event : std::span(events).first(count_)) all |= 1U << event.data.u64;
  const std::uint32_t sparse = sparse_first ? all & ~backlogged_ : 0;
  // Sparse queues, then the others from where the last turn ended.
  std::size_t placed = 0;
  for (const std::uint32_t group : {sparse, all & ~sparse}) {
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      const std::size_t place = (from + i) % queues_.size();
      if ((group >> place & 1U) != 0) ready_[placed++] = static_cast<std::uint8_t>(place);
    }
  }
  backlogged_ = all;
}

void TunQueues::took(std::size_t bytes) noexcept {
  round_bytes_ += bytes;
  if (round_bytes_ < kTunRoundBytes) return;
  ++at_;
  next();
}

void TunQueues::drained() noexcept {
  backlogged_ &= ~(1U << ready_[at_]);
  const auto gone = ready_.begin() + static_cast<std::ptrdiff_t>(at_);
  std::copy(gone + 1, ready_.begin() + static_cast<std::ptrdiff_t>(count_), gone);
  --count_;
  next();
}

void TunQueues::next() noexcept {
  round_bytes_ = 0;
  if (at_ < count_) return;
  at_ = 0;
  round_complete_ = true;
}

}  // namespace fireline::io
