// Which bindings are answered rightly by swapped MAC addresses.
//
//   relay namespace                               routers (addresses alone; nothing answers)
//   up0 10.0.0.5/24, fd00::5/64  ---------------- 10.0.0.1 and fd00::1 and 10.0.0.3: one box; 10.0.0.2: another
//   side0 10.9.0.5/24            ---------------- 10.9.0.1
#include "relay/route_check.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include <cstdlib>
#include <string>

#include "tests/unit/io/network_namespace.h"

namespace fireline::relay {
namespace {

void ip(const std::string& arguments) {
  ASSERT_EQ(std::system(("ip " + arguments).c_str()), 0) << "ip " << arguments;
}

void make_network() {
  for (const char* name : {"up0", "side0"}) {
    const std::string end = name;
    ip("link add " + end + " type veth peer name far_" + end);
    ip("link set " + end + " up");
    ip("link set far_" + end + " up");
  }
  ip("addr add 10.0.0.5/24 dev up0");
  ip("addr add fd00::5/64 dev up0 nodad");
  ip("addr add 10.9.0.5/24 dev side0");
  ip("neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 nud permanent dev up0");
  ip("neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 nud permanent dev up0");
  ip("neigh add 10.0.0.3 lladdr 02:00:00:00:00:01 nud permanent dev up0");
  ip("neigh add fd00::1 lladdr 02:00:00:00:00:01 nud permanent dev up0");
  ip("route add default via 10.0.0.1");
  ip("route add default via fd00::1");
  ip("route add 203.0.113.0/24 via 10.0.0.2");
  ip("route add 192.0.2.128/25 via 10.0.0.3");
  ip("route add 198.18.0.0/15 via 10.9.0.1");
  ip("route add unreachable 100.64.0.0/10");
  ip("route add 2001:db8:bad::/48 via fd00::2");
}

struct Row {
  const char* rule;
  const char* client;
  const char* peer;  // null: the relay itself, where nobody has bound yet
  HopReason reason;
};

constexpr Row kRows[] = {
    {"both behind the default router", "198.51.100.7", "192.0.2.33", HopReason::common_router},
    {"both behind it, IPv6", "2001:db8:c::9", "2001:db8:f::33", HopReason::common_router},
    {"one router with an address per family", "198.51.100.7", "2001:db8:f::33", HopReason::common_router},
    {"one router with two addresses", "198.51.100.7", "192.0.2.200", HopReason::common_router},
    {"the peer is this relay: the client's hop alone", "198.51.100.7", nullptr, HopReason::common_router},
    {"a client in the same LAN", "10.0.0.77", "192.0.2.33", HopReason::client_on_link},
    {"a client in the same LAN whose peer is this relay", "10.0.0.77", nullptr, HopReason::client_on_link},
    {"a peer in the same LAN", "198.51.100.7", "fd00::77", HopReason::peer_on_link},
    {"a client behind the other interface", "198.18.0.1", "192.0.2.33", HopReason::client_elsewhere},
    {"a peer behind the other interface", "198.51.100.7", "198.18.0.1", HopReason::peer_elsewhere},
    {"a client without a route", "100.64.0.1", "192.0.2.33", HopReason::client_no_route},
    {"a peer without a route", "198.51.100.7", "100.64.0.1", HopReason::peer_no_route},
    {"a peer that is this host", "198.51.100.7", "10.0.0.5", HopReason::peer_no_route},
    {"a peer behind another router", "198.51.100.7", "203.0.113.9", HopReason::different_routers},
    {"a peer behind a router that nobody has spoken to yet", "198.51.100.7", "2001:db8:bad::1",
     HopReason::router_unresolved},
};

TEST(RouteCheck, EachPairOfClientAndPeer) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_network());
    auto routes = RouteCheck::open(::if_nametoindex("up0"));
    ASSERT_TRUE(routes.has_value());
    for (const auto& row : kRows) {
      SCOPED_TRACE(row.rule);
      const auto peer = row.peer == nullptr ? std::nullopt : IpAddress::parse(row.peer);
      EXPECT_EQ(name_of(routes->check(IpAddress::parse(row.client).value(), peer)), name_of(row.reason));
    }
  });
}

}  // namespace
}  // namespace fireline::relay
