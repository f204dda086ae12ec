// One io_uring (io_uring(7), liburing) as its users share it: set-up, and whether this process may have one at all.
//
// A request runs for the thread that submitted it; what the kernel has to do for it later, it does when that thread is
// in the kernel anyway (IORING_SETUP_COOP_TASKRUN), so that a busy thread is not interrupted for each datagram. Any
// thread may submit and wait, one at a time: an owner thread that changes, as ours do at a restart, would forbid
// IORING_SETUP_SINGLE_ISSUER.
//
// Lifetime: dropping it closes the ring, which ends its requests some time later: call off what uses memory first. The
// kernel tells each thread that used the ring of its end, some milliseconds later: a system call that is not restarted
// by itself (epoll_wait, a receive with a time limit) answers EINTR then, though no signal came.
#pragma once
#include <memory>

#include "core/base/result.h"
#include "io/io_error.h"

struct io_uring;

namespace fireline::io {

class Uring {
 public:
  // Rings for so many submissions and completions. Errors: ENOSYS (kernel without), EPERM (kernel.io_uring_disabled or
  // a seccomp profile), EINVAL (kernel before 5.19), ENOMEM (RLIMIT_MEMLOCK).
  [[nodiscard]] static Result<Uring, IoError> open(unsigned submissions, unsigned completions);

  [[nodiscard]] ::io_uring* get() const noexcept { return ring_.get(); }
  // Readable while a completion waits.
  [[nodiscard]] int poll_fd() const noexcept;

 private:
  struct Close {
    void operator()(::io_uring* ring) const noexcept;
  };
  using Handle = std::unique_ptr<::io_uring, Close>;
  explicit Uring(Handle ring) noexcept;

  Handle ring_;
};

}  // namespace fireline::io
