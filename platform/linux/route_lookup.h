// The route that the kernel would take to an address, by rtnetlink (RTM_GETROUTE) over libmnl.
// Threads: the query's. Blocks until the kernel has answered (netlink_query.h).
#pragma once
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/netlink_query.h"

namespace fireline::platform {

struct RouteQuestion {
  IpAddress destination;
  std::optional<IpAddress> source = std::nullopt;  // of the same family: rules may ask for it
  std::uint32_t mark = 0;                          // SO_MARK of who sends
};

struct FoundRoute {
  bool unicast = false;  // not to this host itself, nor prohibited
  std::uint32_t interface = 0;
  std::optional<IpAddress> router;  // none: the destination is a neighbour
};

// The errno of the socket or of the kernel's refusal: ENETUNREACH, EHOSTUNREACH, EACCES or EINVAL when there is no
// route or one that refuses, EINVAL or ENETUNREACH when `source` is no address of this host, ENOENT without an answer.
[[nodiscard]] Result<FoundRoute, int> find_route(NetlinkQuery& query, const RouteQuestion& question) noexcept;

}  // namespace fireline::platform
