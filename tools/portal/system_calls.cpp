#include "tools/portal/system_calls.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <array>
#include <cstdint>

#include "tools/common/system_calls.h"

namespace fireline::portal_tool {
namespace {

constexpr platform::AllowedCall any(const char* name) {
  return {.name = name};
}

constexpr platform::AllowedCall lock(std::uint64_t command) {
  return {.name = "fcntl", .argument = 1, .mask = 0xFFFF'FFFF, .value = command};
}

constexpr std::array kCalls{
    // SQLite: its file, the journal beside it, locks
    any("openat"), any("open"), any("lstat"), any("pwrite64"), any("ftruncate"), any("fdatasync"), any("unlink"),
    any("unlinkat"), any("fchmod"), any("fchown"), any("getcwd"), any("utimensat"), lock(F_GETLK), lock(F_SETLK),
    // the policy file's directory
    any("inotify_init1"), any("inotify_add_watch"), any("inotify_rm_watch"),
    // how much of its output a program has acknowledged
    platform::AllowedCall{.name = "ioctl", .argument = 1, .mask = 0xFFFF'FFFF, .value = SIOCOUTQ}};

}  // namespace

std::vector<platform::AllowedCall> portal_calls() {
  return join_calls({kCalls, sending_calls(), connection_calls()});
}

}  // namespace fireline::portal_tool
