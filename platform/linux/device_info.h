// What the portal is told about this machine: operating system, CPU, kernel, host name, serial number (platform
// specification 6.6). Anything may be unknown: empty text. No state; any thread; start-up.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace fireline::platform {

struct DeviceInfo {
  std::string os_name;                // never empty, no '/': "Debian", "Alpine Linux", else "Linux"
  std::string os_version;             // never empty, no space and no '/': "12", "3.20.3", else "unknown"
  std::string architecture;           // as uname: "x86_64"
  std::string kernel;                 // kernel release: "6.1.0-25-amd64"
  std::optional<std::string> serial;  // SMBIOS system serial; root alone may read it, many machines have none
  std::optional<std::string> uuid;    // SMBIOS system UUID, likewise
};

// `root` is the directory under which /etc and /sys are looked for.
[[nodiscard]] DeviceInfo device_info(const std::string& root = "");

// Name and version out of the text of an os-release file (os-release(5)); the first two members above.
struct OsRelease {
  std::string name;
  std::string version;
};
[[nodiscard]] OsRelease read_os_release(std::string_view text);

// gethostname(2); empty when there is none.
[[nodiscard]] std::string host_name();

// Seconds since the machine started, as sysinfo(2) has it.
[[nodiscard]] long uptime_seconds() noexcept;

}  // namespace fireline::platform
