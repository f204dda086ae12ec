// Kernel settings under /proc/sys by their dotted names ("net.ipv4.ip_forward"); as with sysctl(8) a slash in a name
// stands for a dot in the file's ("net.ipv6.conf.eth0/7.accept_ra"). No state; any thread; those under "net." are of
// the calling thread's network namespace.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "platform/linux/host_error.h"

namespace fireline::platform {

inline constexpr const char* kSysctlRoot = "/proc/sys";

// Without the newline. Empty: this kernel has no such setting, or it may not be read.
[[nodiscard]] std::optional<std::string> read_sysctl(const std::string& root, std::string_view name);

// 0 or the errno.
[[nodiscard]] int write_sysctl(const std::string& root, std::string_view name, std::string_view value);

}  // namespace fireline::platform
