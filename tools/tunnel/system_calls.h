// The filter of system calls of gateway and client (platform/linux/seccomp.h). docs/privileges.md.
#pragma once
#include <optional>
#include <string>

namespace fireline::tunnel {

// For all threads, from here on; what is not on the lists fails with EPERM. `log_folder`: log files are made and
// removed; `io_uring`: sockets use it, also those of a later re-bind. A sentence when the kernel refuses; the process
// is free then.
[[nodiscard]] std::optional<std::string> allow_program_calls(bool log_folder, bool io_uring);

}  // namespace fireline::tunnel
