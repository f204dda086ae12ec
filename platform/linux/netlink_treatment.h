// What to do about an errno from rtnetlink: the error table of platform specification 2.6 as code.
// A pure function; any thread.
#pragma once
#include <cstdint>

namespace fireline::platform {

enum class NetlinkOperation : std::uint8_t {
  add_rule,
  add_route,
  delete_route,
  add_address,
  delete_address,
  set_mtu,
  set_up,
  set_queue_length,
  set_address_generation,
  copy_link_route,  // link-scope sync, and clearing the tables at start
};

enum class Treatment : std::uint8_t {
  ok,           // as wanted already, or nothing that this host could have: say nothing
  debug,        // for a developer's log alone
  warn,         // say it and go on with the rest
  stop_family,  // say it; nothing more for this address family
  fatal,        // the operation as a whole fails
};

// `code` is the errno of the kernel's answer in either sign (netlink messages carry it negative); 0 is ok.
[[nodiscard]] Treatment treatment_of(NetlinkOperation operation, int code) noexcept;

}  // namespace fireline::platform
