// The system calls that fireline-portal makes once it is set up (platform/linux/seccomp.h). docs/privileges.md.
#pragma once
#include <span>

#include "platform/linux/seccomp.h"

namespace fireline::portal_tool {

// Beside platform::common_calls().
[[nodiscard]] std::span<const platform::AllowedCall> portal_calls() noexcept;

}  // namespace fireline::portal_tool
