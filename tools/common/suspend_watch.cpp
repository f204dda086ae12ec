#include "tools/common/suspend_watch.h"

#include <time.h>

namespace fireline {
namespace {

Duration read(clockid_t clock) noexcept {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

SuspendClocks read_suspend_clocks() noexcept {
  return {.boot = read(CLOCK_BOOTTIME), .monotonic = read(CLOCK_MONOTONIC)};
}

}  // namespace fireline
