// What wakes a sleeping loop: descriptors and the earliest deadline. Rebuilt before each sleep; the kernel (epoll)
// hears only of what changed since the last one, so that a sleep costs what became ready and not what might have. A
// descriptor that epoll refuses (no kernel memory, fs.epoll.max_user_watches reached) makes that sleep one of poll(2).
//
// Lifetime: a descriptor stays open until forget(), or until it was left out of one sleep. Threads: the sleeping one's.
#pragma once
#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/time.h"
#include "io/file_descriptor.h"

namespace fireline::io {

class PollSet {
 public:
  static constexpr std::size_t kDescriptorsMax = 10;  // waker, timer, two sockets of two queues, TUN, and three writers

  // Throws std::system_error when the process is out of descriptors (start-up only).
  PollSet();

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
  // Nothing is watched any more; the next sleep watches what was added for it, under numbers that may be others' now.
  void forget() noexcept;

 private:
  struct Interest {
    int fd = -1;
    short events = 0;
    bool* ready = nullptr;
  };
  // What the kernel watches: each descriptor once, whoever is interested in it.
  struct Watch {
    int fd = -1;
    std::uint32_t events = 0;
    bool operator==(const Watch&) const = default;
  };

  void wait(int milliseconds) noexcept;
  // False when the kernel watches less than was added.
  [[nodiscard]] bool tell_kernel() noexcept;
  void wait_by_epoll(int milliseconds) noexcept;
  void wait_by_poll(int milliseconds) noexcept;

  FileDescriptor epoll_;
  std::array<Interest, kDescriptorsMax> interests_{};
  std::array<Watch, kDescriptorsMax> watches_{};
  std::size_t count_ = 0;
  std::size_t watch_count_ = 0;
  std::optional<Instant> deadline_;
};

}  // namespace fireline::io
