// Whether the XDP program's way of answering, swapping the MAC addresses of a frame, reaches the right next hop: it
// does when client and peer are both behind one router of the offloaded interface. Asks the kernel by rtnetlink over
// libmnl (RTM_GETROUTE, RTM_GETNEIGH).
//
// Lifetime: self-contained, one netlink socket. Threads: one at a time. Blocks for the kernel's answers, at most 1 s
// each (the kernel answers at once). Routes are looked up by destination alone.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/netlink_query.h"

namespace fireline::relay {

enum class HopReason : std::uint8_t {
  common_router,      // the only one that allows offloading
  client_no_route,    // none, or no unicast route
  peer_no_route,      //
  client_on_link,     // a neighbour: its MAC is not the router's
  peer_on_link,       //
  client_elsewhere,   // leaves by another interface than the offloaded one
  peer_elsewhere,     //
  different_routers,  //
  router_unresolved,  // two router addresses (one per family) whose MACs are not both known yet; a refresh asks again
  no_interface_address,  // families differ, and the interface has no configured address of one of them
  client_pads,           // its channel data, which the program leaves to user space: not a question of hops
  lookup_failed,         // netlink did not answer
  count_
};
inline constexpr std::size_t kHopReasons = static_cast<std::size_t>(HopReason::count_);
[[nodiscard]] std::string_view name_of(HopReason reason) noexcept;

class RouteCheck {
 public:
  // The errno of the failing call.
  [[nodiscard]] static Result<RouteCheck, int> open(std::uint32_t interface_index);

  // `peer` is the other client where the peer is this relay itself. Absent, it is not known, and the client's own next
  // hop alone counts.
  [[nodiscard]] HopReason check(const IpAddress& client, const std::optional<IpAddress>& peer);

 private:
  struct Hop {
    enum class Kind : std::uint8_t { router, on_link, elsewhere, none, failed };
    Kind kind = Kind::none;
    IpAddress router;
  };
  using Mac = std::array<std::uint8_t, 6>;

  RouteCheck(platform::NetlinkQuery query, std::uint32_t index) noexcept : query_(std::move(query)), index_(index) {}
  [[nodiscard]] Hop next_hop(const IpAddress& target);
  [[nodiscard]] std::optional<Mac> neighbour(const IpAddress& router);

  platform::NetlinkQuery query_;
  std::uint32_t index_ = 0;
};

}  // namespace fireline::relay
