#include "io/waker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace fireline::io {

Waker::Waker() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_.get() < 0) throw std::system_error(errno, std::generic_category(), "cannot create an eventfd");
}

void Waker::awake(bool readable) noexcept {
  // Still announced: nobody signalled since, so there is nothing to drain but a signal that was late for an earlier
  // awake(). That one would end every sleep.
  if (sleeping_.exchange(false, std::memory_order_acq_rel) && !readable) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto drained = ::read(event_.get(), &count, sizeof count);
}

void Waker::signal() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

}  // namespace fireline::io
