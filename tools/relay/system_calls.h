// The system calls that fireline-relay makes once it is set up (platform/linux/seccomp.h). docs/privileges.md.
#pragma once
#include <span>

#include "platform/linux/seccomp.h"

namespace fireline::relay {

// Beside platform::common_calls(). `fast_path`: the maps of the XDP program are read and written.
[[nodiscard]] std::span<const platform::AllowedCall> relay_calls(bool fast_path) noexcept;

}  // namespace fireline::relay
