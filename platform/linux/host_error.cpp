#include "platform/linux/host_error.h"

#include <cerrno>
#include <cstring>

namespace fireline::platform {

HostError host_error(int code, const std::string& what) {
  return {code, "cannot " + what + ": " + std::strerror(code)};
}

HostError network_error(int code, const std::string& what) {
  HostError error = host_error(code, what);
  if (code == EPERM) error.sentence += ": run as root or grant CAP_NET_ADMIN";
  return error;
}

}  // namespace fireline::platform
