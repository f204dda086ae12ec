// The addresses of this host's interfaces with their prefixes, as the kernel has them at this moment.
// No state; any thread; reads the calling thread's network namespace.
#pragma once
#include <string>
#include <vector>

#include "core/base/endpoint.h"

namespace fireline::platform {

struct InterfaceAddress {
  std::string interface;
  IpAddress address;
  Prefix prefix;
};

// Empty when the kernel does not tell.
[[nodiscard]] std::vector<InterfaceAddress> interface_addresses();

}  // namespace fireline::platform
