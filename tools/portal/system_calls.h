// The system calls that fireline-portal makes once it is set up (platform/linux/seccomp.h). docs/privileges.md.
#pragma once
#include <vector>

#include "platform/linux/seccomp.h"

namespace fireline::portal_tool {

// Beside platform::common_calls().
[[nodiscard]] std::vector<platform::AllowedCall> portal_calls();

}  // namespace fireline::portal_tool
