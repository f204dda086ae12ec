// Keeps the LAN reachable while the Internet resource owns the default route: copies the main table's link-scope routes
// into the table between the customers' routes and the default route (platform specification 2.4).
//
// The descriptor becomes readable on any change of routes, links or addresses; 500 ms after the last one the routes are
// compared and what is missing is added. Routes of interfaces that are not up (operational state exactly "up") are left
// out: the kernel refuses them. A copy whose original has gone is deleted, so that a LAN that was left does not shadow
// the Internet resource. In practice IPv4 alone: the kernel gives IPv6 routes the scope "universe".
//
// Time is an argument; sync() blocks until the kernel has answered. Lifetime: self-contained. Threads: one at a time.
// Needs CAP_NET_ADMIN.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "platform/linux/debounce.h"
#include "platform/linux/netlink_events.h"
#include "platform/linux/netlink_query.h"
#include "platform/linux/route_list.h"

namespace fireline::platform {

struct LinkScopeReport {
  bool listed = true;  // false: the kernel did not list what there is, and nothing was changed
  std::size_t added = 0;
  std::size_t deleted = 0;
  std::vector<std::string> details;  // skipped and refused routes, for a developer's log
};

class LinkScopeSync {
 public:
  static constexpr Duration kQuiet = std::chrono::milliseconds(500);
  // A host whose routes never rest (a router with BGP) is looked at this often.
  static constexpr Duration kLongest = std::chrono::seconds(5);

  [[nodiscard]] static Result<LinkScopeSync, HostError> open();

  [[nodiscard]] int fd() const noexcept { return events_.fd(); }
  // The descriptor is readable. Error: the kernel can no longer be heard; routes stay as they are.
  [[nodiscard]] std::optional<HostError> handle_readable(Instant now);
  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept { return debounce_.deadline(); }
  // The report of a sync when one was due. One that could not list is due again.
  [[nodiscard]] std::optional<LinkScopeReport> handle_timeout(Instant now);
  // At once: when the tunnel's routes were just set for the first time.
  [[nodiscard]] LinkScopeReport sync();
  // Deletes all copies, when the tunnel ends: a copy that stays outlives changes of the LAN and hides them.
  [[nodiscard]] LinkScopeReport withdraw();

 private:
  LinkScopeSync(NetlinkEvents events, NetlinkQuery query) noexcept;
  void delete_copy(const Route& copy, LinkScopeReport& report);

  NetlinkEvents events_;
  NetlinkQuery query_;
  Debounce debounce_{kQuiet, kLongest};
};

}  // namespace fireline::platform
