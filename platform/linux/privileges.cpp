#include "platform/linux/privileges.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace fireline::platform {

std::optional<std::string> raise_descriptor_limit(std::uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::string("cannot read the limit of open files");
  if (limit.rlim_cur >= wanted) return std::nullopt;
  rlimit raised{.rlim_cur = wanted, .rlim_max = limit.rlim_max < wanted ? wanted : limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return std::nullopt;
  // Without CAP_SYS_RESOURCE the hard limit is the end.
  raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  if (limit.rlim_max > limit.rlim_cur && ::setrlimit(RLIMIT_NOFILE, &raised) != 0) raised.rlim_cur = limit.rlim_cur;
  return "the limit of open files is " + std::to_string(raised.rlim_cur) + ", " + std::to_string(wanted) +
         " are wanted: raise LimitNOFILE of the unit, or ulimit -n";
}

std::uint64_t descriptor_limit() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

// No call says it outright: a descriptor at the end makes the table as long, and it never shrinks.
bool grow_descriptor_table(std::uint64_t wanted) noexcept {
  const std::uint64_t entries = std::min(wanted, descriptor_limit());
  if (entries == 0 || entries > std::numeric_limits<int>::max()) return false;
  const int any = ::eventfd(0, EFD_CLOEXEC);
  if (any < 0) return false;
  const int last = ::fcntl(any, F_DUPFD_CLOEXEC, static_cast<int>(entries - 1));
  ::close(any);
  if (last < 0) return false;
  ::close(last);
  return true;
}

std::optional<std::string> drop_privileges() {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // Fails without CAP_SETPCAP, and is not needed then: no_new_privs stands before the bounding set.
  for (unsigned long capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return std::string("cannot set no_new_privs: ") + std::strerror(errno);
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) {
    return std::string("cannot drop capabilities: ") + std::strerror(errno);
  }
  return std::nullopt;
}

}  // namespace fireline::platform
