#include "platform/linux/host_error.h"

#include <cstring>

namespace fireline::platform {

HostError host_error(int code, const std::string& what) {
  return {code, "cannot " + what + ": " + std::strerror(code)};
}

}  // namespace fireline::platform
