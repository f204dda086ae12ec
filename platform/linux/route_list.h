// Routes as the kernel lists them: the parts that fireline looks at, and the whole message so that a route can be
// deleted or copied. Values; asking blocks until the kernel has answered. Threads: as NetlinkQuery.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/netlink_query.h"

namespace fireline::platform {

// Far more than a host has link-scope routes or resources; a router's full table is filtered before this counts.
inline constexpr std::size_t kListedRoutesMax = 16'384;

struct Route {
  Prefix destination;
  std::uint32_t table = 0;
  std::uint32_t interface = 0;  // output interface; of several the first
  std::uint32_t metric = 0;
  std::uint8_t scope = 0;            // RT_SCOPE_...
  std::uint8_t type = 0;             // RTN_...
  std::uint8_t protocol = 0;         // RTPROT_...: who made it
  std::optional<IpAddress> gateway;  // of several the first
  std::optional<IpAddress> source;   // preferred source
  std::vector<std::byte> message;    // rtmsg and its attributes as they came
};

// Routes of one table in both families, as far as `wanted` says yes (message is still empty then). A family that this
// host lacks has none, a table that does not exist is empty. Error: errno.
[[nodiscard]] Result<std::vector<Route>, int> list_routes(NetlinkQuery& query, std::uint32_t table,
                                                          bool (*wanted)(const Route&));

// Sends the route as it was listed, but with another table: RTM_NEWROUTE with NLM_F_CREATE | NLM_F_EXCL, RTM_DELROUTE.
// 0 or the errno.
[[nodiscard]] int change_route(NetlinkQuery& query, std::uint16_t type, std::uint16_t flags, const Route& route,
                               std::uint32_t table);

}  // namespace fireline::platform
