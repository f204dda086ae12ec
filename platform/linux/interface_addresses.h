// The addresses of this host's interfaces with their prefixes, as the kernel has them at this moment.
// No state; any thread; reads the calling thread's network namespace.
#pragma once
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/host_error.h"

namespace fireline::platform {

struct InterfaceAddress {
  std::string interface;
  IpAddress address;
  Prefix prefix;
};

// Error: the kernel does not tell, for want of descriptors or memory or of a right to netlink. That is not "none":
// what an own address must be refused to would be open to it.
[[nodiscard]] Result<std::vector<InterfaceAddress>, HostError> interface_addresses();

}  // namespace fireline::platform
