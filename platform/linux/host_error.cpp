#include "platform/linux/host_error.h"

#include <cerrno>
#include <cstring>

namespace fireline::platform {

bool is_shortage(int code) noexcept {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

HostError host_error(int code, const std::string& what) {
  const char* const fix = code == EMFILE ? ": raise this process's limit of open files" : "";
  return {code, "cannot " + what + ": " + std::strerror(code) + fix};
}

HostError network_error(int code, const std::string& what) {
  HostError error = host_error(code, what);
  if (code == EPERM) error.sentence += ": run as root or grant CAP_NET_ADMIN";
  return error;
}

}  // namespace fireline::platform
