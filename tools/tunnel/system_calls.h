// The filter of system calls of gateway and client (platform/linux/seccomp.h). docs/privileges.md.
#pragma once
#include <optional>
#include <string>

namespace fireline::tunnel {

// For all threads, from here on; what is not on the lists fails with EPERM. `log_folder`: log files are made and
// removed. A sentence when the kernel refuses; the process is free then.
[[nodiscard]] std::optional<std::string> allow_program_calls(bool log_folder);

}  // namespace fireline::tunnel
