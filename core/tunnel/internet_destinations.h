// What the Internet resource reaches: public addresses, and none of the gateway's own network or of the gateway itself.
// Source: tunnel specification 5.3; docs/gateway.md has the table of what is refused.
// Lifetime: plain. Threads: one owner. Allocates in set_host_addresses() alone.
#pragma once
#include <optional>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/wire.h"

namespace fireline::tunnel {

class InternetDestinations {
 public:
  // This host's addresses, in place of those that it had; public ones are why they are given. Nothing is permitted
  // before they are known.
  void set_host_addresses(std::vector<IpAddress> addresses);

  // `address` is 4 or 16 bytes in network order.
  [[nodiscard]] bool permits(ConstBytes address) const noexcept;

 private:
  std::optional<std::vector<IpAddress>> host_addresses_;  // sorted
};

}  // namespace fireline::tunnel
