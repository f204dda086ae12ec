// The system's limits of socket buffers, raised for UDP at 10 Gbit/s (platform specification 6.2, "inc-buf").
// No state; any thread; start-up. Needs root and a writable /proc/sys; containers have neither as a rule.
#pragma once
#include <cstdint>
#include <string>

#include "platform/linux/sysctl.h"

namespace fireline::platform {

inline constexpr std::uint64_t kReceiveBufferLimit = 134'217'728;
inline constexpr std::uint64_t kSendBufferLimit = 16'777'216;

// Raises net.core.rmem_max and wmem_max where they are lower; never lowers one. Both are tried whatever becomes of the
// other. One sentence about the outcome for an information line: failing is no fault.
[[nodiscard]] std::string raise_socket_buffer_limits(const std::string& sysctl_root = kSysctlRoot);

}  // namespace fireline::platform
