// The addresses of the host's interfaces as the kernel lists them, with what tells a lasting address from a passing
// one. Values; asking blocks until the kernel has answered. Threads: as NetlinkQuery.
#pragma once
#include <cstdint>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/netlink_query.h"

namespace fireline::platform {

inline constexpr std::size_t kListedAddressesMax = 16'384;  // as many as interfaces (link_list.h)

struct ListedAddress {
  std::uint32_t interface = 0;
  IpAddress address;  // the local one
  IpAddress peer;     // the other end's on a point-to-point link, else the same
  std::uint8_t prefix_length = 0;
  std::uint8_t scope = 0;   // RT_SCOPE_...
  std::uint32_t flags = 0;  // IFA_F_...
};

// Of one interface, or of all (0). Error: errno.
[[nodiscard]] Result<std::vector<ListedAddress>, int> list_addresses(NetlinkQuery& query, std::uint32_t interface);

// The address that a netlink attribute carries; the default for any other length than 4 and 16.
[[nodiscard]] IpAddress address_in(const nlattr* attribute) noexcept;

}  // namespace fireline::platform
