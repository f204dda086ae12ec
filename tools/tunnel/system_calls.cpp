#include "tools/tunnel/system_calls.h"

#include <sys/ioctl.h>

#include <array>
#include <span>

#include "platform/linux/seccomp.h"
#include "tools/common/system_calls.h"

namespace fireline::tunnel {
namespace {

using platform::AllowedCall;

constexpr AllowedCall any(const char* name) {
  return {.name = name};
}

constexpr AllowedCall control(std::uint64_t request) {
  return {.name = "ioctl", .argument = 1, .mask = 0xFFFF'FFFF, .value = request};
}

// Datagrams, netlink and readiness told to systemd are connections' calls.
constexpr std::array kProgram{// an interface's index by its name and back
                              control(SIOCGIFINDEX), control(SIOCGIFNAME),
                              // the status socket at the end
                              any("unlink")};

// LogFolder makes files and removes old ones; a filter sees no paths.
constexpr std::array kLogFolder{any("openat"), any("open"),    any("unlinkat"), any("lstat"),
                                any("fchmod"), any("symlink"), any("symlinkat")};

}  // namespace

std::optional<std::string> allow_program_calls(bool log_folder, bool io_uring) {
  const auto files = log_folder ? std::span<const AllowedCall>(kLogFolder) : std::span<const AllowedCall>();
  const auto rings = io_uring ? io_uring_calls() : std::span<const AllowedCall>();
  return platform::allow_only(platform::common_calls(),
                              join_calls({connection_calls(), thread_calls(), kProgram, files, rings}));
}

}  // namespace fireline::tunnel
