#include "platform/linux/nice_value.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fireline::platform {
namespace {

// A kernel without autogroups has no such file; in a control group of its own the value has no effect.
void set_autogroup(int nice) noexcept {
  const int file = ::open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  const std::string text = std::to_string(nice);
  [[maybe_unused]] const auto written = ::write(file, text.data(), text.size());
  ::close(file);
}

}  // namespace

std::optional<std::string> set_nice_value(std::optional<int> wanted) {
  if (!wanted && ::getpriority(PRIO_PROCESS, 0) != 0) return std::nullopt;
  const int nice = wanted.value_or(kDataPlaneNice);
  if (::setpriority(PRIO_PROCESS, 0, nice) != 0) {
    if (!wanted) return std::nullopt;
    return "cannot run at nice " + std::to_string(nice) + ": " + std::strerror(errno) +
           ": grant CAP_SYS_NICE, or set LimitNICE=" + std::to_string(nice) + " in the unit";
  }
  if (::getsid(0) == ::getpid()) set_autogroup(nice);
  return std::nullopt;
}

}  // namespace fireline::platform
