// The messages with which the tunnel's rules and routes are made (platform specification 2.1 and 2.2), byte by byte as
// in its section 10. Each is written into the query's request; send it with ask(). No state.
#pragma once
#include <cstdint>

#include "core/base/endpoint.h"
#include "platform/linux/netlink_query.h"

namespace fireline::platform {

struct Rule {
  std::uint32_t priority = 0;
  std::uint32_t mark = 0;   // packets with this mark are left out
  std::uint32_t table = 0;  // where the others are looked up
};

nlmsghdr* write_rule(NetlinkQuery& query, Family family, const Rule& rule);

// `type`: RTM_NEWROUTE, which fails where the route exists, or RTM_DELROUTE.
nlmsghdr* write_route(NetlinkQuery& query, std::uint16_t type, const Prefix& destination, std::uint32_t table,
                      std::uint32_t interface);

}  // namespace fireline::platform
