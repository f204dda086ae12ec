// Routes as the kernel lists them: the parts that fireline looks at, and the whole message so that a route can be
// copied. Values; asking blocks until the kernel has answered. Threads: as NetlinkQuery.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/netlink_query.h"

namespace fireline::platform {

struct Route {
  Prefix destination;
  std::uint32_t table = 0;
  std::uint32_t interface = 0;  // output interface; of several the first
  std::uint32_t metric = 0;
  std::uint8_t scope = 0;  // RT_SCOPE_...
  std::uint8_t type = 0;   // RTN_...
  std::uint8_t protocol = 0;
  std::optional<IpAddress> gateway;  // of several the first
  std::optional<IpAddress> source;   // preferred source
  std::vector<std::byte> message;    // rtmsg and its attributes as they came
};

// Routes of one table (0: all tables) in both families. A family that this host lacks has none, a table that does not
// exist is empty. Error: errno.
[[nodiscard]] Result<std::vector<Route>, int> list_routes(NetlinkQuery& query, std::uint32_t table);

// The address that a netlink attribute carries; empty for any other length than 4 and 16.
[[nodiscard]] std::optional<IpAddress> address_in(const nlattr* attribute) noexcept;

}  // namespace fireline::platform
