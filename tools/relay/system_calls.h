// The system calls that fireline-relay makes once it is set up (platform/linux/seccomp.h). docs/privileges.md.
#pragma once
#include <vector>

#include "platform/linux/seccomp.h"

namespace fireline::relay {

// Beside platform::common_calls(). `fast_path`: the maps of the XDP program are read and written. `portal`: connections
// are made, and the portal's name is looked up on a thread.
[[nodiscard]] std::vector<platform::AllowedCall> relay_calls(bool fast_path, bool portal);

}  // namespace fireline::relay
