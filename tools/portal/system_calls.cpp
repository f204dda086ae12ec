#include "tools/portal/system_calls.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <array>

#include "tools/common/system_calls.h"

namespace fireline::portal_tool {
namespace {

constexpr platform::AllowedCall any(const char* name) {
  return {.name = name};
}

constexpr std::array kCalls{
    // SQLite: its file, the journal beside it, locks
    any("openat"), any("open"), any("lstat"), any("pwrite64"), any("ftruncate"), any("fdatasync"), any("unlink"),
    any("unlinkat"), any("fchmod"), any("fchown"), any("getcwd"), any("utimensat"),
    // the policy file's directory
    any("inotify_init1"), any("inotify_add_watch"), any("inotify_rm_watch"),
    // how much of its output a program has acknowledged
    platform::AllowedCall{.name = "ioctl", .argument = 1, .mask = 0xFFFF'FFFF, .value = SIOCOUTQ}};

}  // namespace

std::vector<platform::AllowedCall> portal_calls() {
  return join_calls({kCalls, connection_calls()});
}

}  // namespace fireline::portal_tool
