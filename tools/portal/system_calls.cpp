#include "tools/portal/system_calls.h"

#include <sys/ioctl.h>

#include <array>

namespace fireline::portal_tool {
namespace {

constexpr platform::AllowedCall any(const char* name) {
  return {.name = name};
}

constexpr std::array kCalls{
    // SQLite: its file, the journal beside it, locks
    any("openat"), any("open"), any("access"), any("faccessat"), any("faccessat2"), any("lstat"), any("readlink"),
    any("pwrite64"), any("ftruncate"), any("fdatasync"), any("unlink"), any("unlinkat"), any("fchmod"), any("fchown"),
    any("getcwd"), any("utimensat"),
    // connections of the listeners and of the status socket
    any("accept4"), any("accept"), any("shutdown"), any("getsockname"), any("getpeername"), any("setsockopt"),
    any("getsockopt"), any("recvmsg"), any("recvfrom"), any("sendmsg"), any("sendto"), any("socket"), any("connect"),
    platform::AllowedCall{.name = "ioctl", .argument = 1, .mask = 0xFFFF'FFFF, .value = FIONBIO}, any("eventfd2"),
    any("timerfd_create"),
    // the policy file's directory
    any("inotify_init1"), any("inotify_add_watch"), any("inotify_rm_watch")};

}  // namespace

std::span<const platform::AllowedCall> portal_calls() noexcept {
  return kCalls;
}

}  // namespace fireline::portal_tool
