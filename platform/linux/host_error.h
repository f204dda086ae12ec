// Why something about the host could not be read or changed. A value; any thread.
#pragma once
#include <string>

namespace fireline::platform {

struct HostError {
  int code = 0;          // errno; 0 when what was found is wrong, not a call
  std::string sentence;  // what failed, and the fix where there is one, for a person
};

// Descriptors or memory are short: what failed may work a moment later.
[[nodiscard]] bool is_shortage(int code) noexcept;

// "cannot <what>: <text of errno>".
[[nodiscard]] HostError host_error(int code, const std::string& what);

// As host_error(), and with EPERM what the program lacks.
[[nodiscard]] HostError network_error(int code, const std::string& what);

}  // namespace fireline::platform
