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
namespace {

using CapabilitySets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

__user_cap_header_struct capability_header() noexcept {
  return {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
}

// Where a capability stands in a set.
std::size_t word_of(int capability) noexcept {
  return static_cast<std::size_t>(capability) / 32;
}
std::uint32_t bit_of(int capability) noexcept {
  return std::uint32_t{1} << (static_cast<unsigned>(capability) % 32);
}

// None when the kernel does not tell.
CapabilitySets read_capabilities() noexcept {
  CapabilitySets sets{};
  auto header = capability_header();
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return {};
  return sets;
}

}  // namespace

std::optional<std::string> missing_network_admin() {
  if (has_capability(CAP_NET_ADMIN)) return std::nullopt;
  return "this program configures interfaces and routes: run it as root, or give it the capability CAP_NET_ADMIN "
         "(AmbientCapabilities=CAP_NET_ADMIN in a systemd unit, --cap-add NET_ADMIN for a container)";
}

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

std::optional<std::string> drop_privileges(std::initializer_list<int> kept) {
  CapabilitySets sets = read_capabilities();
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // Fails without CAP_SETPCAP, and is not needed then: no_new_privs stands before the bounding set.
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    if (std::ranges::find(kept, capability) == kept.end()) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return std::string("cannot set no_new_privs: ") + std::strerror(errno);
  }
  std::array<std::uint32_t, _LINUX_CAPABILITY_U32S_3> mask{};
  for (const int capability : kept) mask[word_of(capability)] |= bit_of(capability);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    sets[i].permitted &= mask[i];
    sets[i].effective = sets[i].permitted;
    sets[i].inheritable = 0;
  }
  auto header = capability_header();
  if (::syscall(SYS_capset, &header, sets.data()) != 0) {
    return std::string("cannot drop capabilities: ") + std::strerror(errno);
  }
  return std::nullopt;
}

bool has_capability(int capability) noexcept {
  return (read_capabilities()[word_of(capability)].effective & bit_of(capability)) != 0;
}

}  // namespace fireline::platform
