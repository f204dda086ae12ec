#include "io/uring.h"

#include <liburing.h>

#include <cerrno>
#include <utility>

namespace fireline::io {
namespace {

const char* fix_for(int code) noexcept {
  switch (code) {
    case EPERM:
    case EACCES:
      return "the sysctl kernel.io_uring_disabled or a seccomp profile (as containers have) forbids it";
    case ENOSYS:
      return "this kernel has none";
    case EINVAL:
      return "this kernel is too old for it: Linux 6.0 or newer is needed";
    case ENOMEM:
      return "raise the limit of locked memory (ulimit -l)";
    default:
      return "";
  }
}

}  // namespace

Uring::Uring(Handle ring) noexcept : ring_(std::move(ring)) {}

void Uring::Close::operator()(::io_uring* ring) const noexcept {
  ::io_uring_queue_exit(ring);
  delete ring;
}

Result<Uring, IoError> Uring::open(unsigned submissions, unsigned completions) {
  auto memory = std::make_unique<::io_uring>();
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE;
  parameters.cq_entries = completions;
  const int result = ::io_uring_queue_init_params(submissions, memory.get(), &parameters);
  if (result < 0) {
    return err(IoError{.code = -result, .operation = "set up io_uring for", .context = "UDP", .fix = fix_for(-result)});
  }
  return Uring(Handle(memory.release()));
}

int Uring::poll_fd() const noexcept {
  return ring_->ring_fd;
}

}  // namespace fireline::io
