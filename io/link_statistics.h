// What the kernel counts for a network interface, asked for with rtnetlink(7).
#pragma once
#include <cstdint>

#include "core/base/result.h"
#include "io/io_error.h"

namespace fireline::io {

// Cumulative since the interface exists.
struct LinkDrops {
  std::uint64_t transmit = 0;  // packets that the host sent into the interface and that went nowhere
  std::uint64_t receive = 0;   // packets that came out of the interface and that the host did not take
};

// `netlink` is an open NETLINK_ROUTE socket in the interface's namespace, used by one thread at a time. Blocks for the
// kernel's answer only, which comes within the call. Errors: ENODEV for an index that does not exist.
[[nodiscard]] Result<LinkDrops, IoError> query_link_drops(int netlink, int index);

}  // namespace fireline::io
