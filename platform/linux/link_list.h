// The host's network interfaces as the kernel lists them. Values; asking blocks until the kernel has answered.
// Threads: as NetlinkQuery.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "platform/linux/netlink_query.h"

namespace fireline::platform {

inline constexpr std::size_t kLinksMax = 16'384;  // a host with a pair for each of 8,000 containers

struct Link {
  std::uint32_t index = 0;
  std::string name;
  bool operational = false;  // IFLA_OPERSTATE is exactly "up": not the TUN's and loopback's "unknown"
  bool running = false;      // administratively up, and not known to lack a carrier
  bool loopback = false;
};

// Error: errno.
[[nodiscard]] Result<std::vector<Link>, int> list_links(NetlinkQuery& query);

}  // namespace fireline::platform
