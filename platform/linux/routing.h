// Policy routing into the tunnel: three tables with a rule each, and the set of routes (platform specification 2.1, 2.2
// and 2.5). Order of lookup: customer routes, then copies of the LAN's routes (link_scope_sync.h), then the Internet
// resource; sockets that carry the mark see none of the three.
//
// Rules stay when the program ends: without the interface their tables are empty. Lifetime: one object for a TUN
// device's life and longer; the interface is found by its name at each call. Threads: one at a time; each call blocks
// until the kernel has answered. Works in the network namespace in which it was opened. Needs CAP_NET_ADMIN.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/host_error.h"
#include "platform/linux/netlink_query.h"
#include "platform/linux/tun_settings.h"

namespace fireline::platform {

inline constexpr std::uint32_t kSocketMark = 0xfd002021;  // SO_MARK of every socket that must not enter the tunnel
inline constexpr std::uint32_t kTunnelTable = 0x2021fd00;
inline constexpr std::uint32_t kLinkTable = 0x2021fd01;
inline constexpr std::uint32_t kInternetTable = 0x2021fd02;

inline constexpr const char* kTunnelInterface = "tun-firezone";

// What a client or a gateway has to reach through the tunnel whatever its resources are.
[[nodiscard]] std::vector<Prefix> client_base_routes();
[[nodiscard]] std::vector<Prefix> gateway_routes();

struct RoutingReport {
  std::vector<std::string> warnings;  // one sentence for each rule or route that is missing now
  std::vector<std::string> details;   // for a developer's log
};

class Routing {
 public:
  // Opens a netlink socket; changes nothing.
  [[nodiscard]] static Result<Routing, HostError> open(std::string interface);

  // At start: deletes what an earlier run left in the three tables. Nothing of it is worth a warning.
  [[nodiscard]] RoutingReport clear_tables();
  // The three rules for each working family. Present ones are fine.
  [[nodiscard]] RoutingReport add_rules(WorkingFamilies families);
  // Makes `wanted` the set of routes: /0 goes to the Internet table, all else to the tunnel table. Deletes what was set
  // before and is not wanted, then adds every wanted one again, also those known: the system may have removed them.
  // One that fails stops no other. Error: the interface does not exist.
  [[nodiscard]] Result<RoutingReport, HostError> set_routes(const std::vector<Prefix>& wanted,
                                                            WorkingFamilies families);

  // Those set last that the kernel does not have any more. It drops them when the interface goes down, or loses its
  // last address, and anybody may delete them. Error: errno.
  [[nodiscard]] Result<std::vector<Prefix>, int> missing_routes();

 private:
  Routing(std::string interface, NetlinkQuery query) noexcept;
  [[nodiscard]] int change_route(std::uint16_t type, const Prefix& destination, std::uint32_t index);

  std::string interface_;
  NetlinkQuery query_;
  std::set<Prefix> present_;  // as set last
};

}  // namespace fireline::platform
