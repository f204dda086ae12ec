#include "platform/linux/netlink_treatment.h"

#include <cerrno>
#include <cstdlib>

namespace fireline::platform {

Treatment treatment_of(NetlinkOperation operation, int code) noexcept {
  const int number = std::abs(code);
  if (number == 0) return Treatment::ok;
  switch (operation) {
    case NetlinkOperation::add_rule:
      return number == EEXIST ? Treatment::ok : Treatment::stop_family;
    case NetlinkOperation::add_route:
      // A host without that version of IP has nothing that such a route could lead astray.
      return number == EEXIST || number == EOPNOTSUPP || number == EAFNOSUPPORT ? Treatment::ok : Treatment::warn;
    case NetlinkOperation::delete_route:
      return number == ENOENT || number == ESRCH ? Treatment::ok : Treatment::warn;
    case NetlinkOperation::add_address:
      return number == EEXIST ? Treatment::ok : Treatment::stop_family;
    case NetlinkOperation::delete_address:
      // Gone in between is what was wanted.
      return number == EADDRNOTAVAIL ? Treatment::ok : Treatment::fatal;
    case NetlinkOperation::set_mtu:
    case NetlinkOperation::set_up:
      return Treatment::fatal;
    case NetlinkOperation::set_queue_length:
      return Treatment::warn;
    case NetlinkOperation::set_address_generation:
      // Kernels and hosts without IPv6 have no such setting, and no link-local addresses either.
      return Treatment::debug;
    case NetlinkOperation::copy_link_route:
      return number == EEXIST ? Treatment::ok : Treatment::debug;
  }
  return Treatment::fatal;
}

}  // namespace fireline::platform
