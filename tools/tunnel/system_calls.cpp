#include "tools/tunnel/system_calls.h"

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

// LogFolder makes files and removes old ones; a filter sees no paths.
constexpr std::array kLogFolder{any("openat"), any("open"),    any("unlinkat"),
                                any("fchmod"), any("symlink"), any("symlinkat")};

}  // namespace

std::optional<std::string> allow_program_calls(bool log_folder, bool io_uring) {
  const auto files = log_folder ? std::span<const AllowedCall>(kLogFolder) : std::span<const AllowedCall>();
  const auto rings = io_uring ? io_uring_calls() : std::span<const AllowedCall>();
  // Datagrams, netlink and readiness told to systemd are connections' calls.
  return platform::allow_only(platform::common_calls(), join_calls({sending_calls(), connection_calls(), thread_calls(),
                                                                    device_calls(), files, rings}));
}

}  // namespace fireline::tunnel
