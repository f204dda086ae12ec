// Routes as the kernel chooses them in a namespace with two links, rules for a source and for a mark.
#include "platform/linux/route_lookup.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include <cerrno>

#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

void make_network() {
  for (const std::string end : {"up0", "up1"}) {
    run("ip link add " + end + " type veth peer name far_" + end + " && ip link set " + end +
        " up && ip link set far_" + end + " up");
  }
  run("ip addr add 10.0.0.5/24 dev up0 && ip addr add 10.0.1.5/24 dev up1");
  run("ip addr add fd00::5/64 dev up0 nodad && ip addr add fd01::5/64 dev up1 nodad");
  run("ip route add default via 10.0.0.1 && ip route add default via fd00::1 dev up0");
  run("ip route add 198.51.100.0/24 via inet6 fd01::1 dev up1");
  run("ip route add prohibit 203.0.113.0/24");
  run("ip route add default via 10.0.1.1 table 9 && ip route add default via fd01::1 dev up1 table 9");
  run("ip rule add from 10.0.1.5 table 9 && ip rule add fwmark 7 table 9");
  run("ip -6 rule add from fd01::5 table 9 && ip -6 rule add fwmark 7 table 9");
}

struct Row {
  const char* rule;
  const char* destination;
  const char* source;
  std::uint32_t mark;
  const char* interface;
  const char* router;
};

constexpr Row kRows[] = {
    {"the default route", "192.0.2.1", nullptr, 0, "up0", "10.0.0.1"},
    {"the default route, IPv6", "2001:db8::1", nullptr, 0, "up0", "fd00::1"},
    {"a neighbour", "10.0.1.77", nullptr, 0, "up1", nullptr},
    {"a router of the other family", "198.51.100.1", nullptr, 0, "up1", "fd01::1"},
    {"by its source", "192.0.2.1", "10.0.1.5", 0, "up1", "10.0.1.1"},
    {"by its source, IPv6", "2001:db8::1", "fd01::5", 0, "up1", "fd01::1"},
    {"by its mark", "192.0.2.1", nullptr, 7, "up1", "10.0.1.1"},
    {"by its mark, IPv6", "2001:db8::1", nullptr, 7, "up1", "fd01::1"},
    {"another source and mark", "192.0.2.1", "10.0.0.5", 8, "up0", "10.0.0.1"},
};

TEST(RouteLookup, AsTheKernelRoutes) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_network());
    auto query = NetlinkQuery::open();
    ASSERT_TRUE(query.has_value());
    for (const Row& row : kRows) {
      SCOPED_TRACE(row.rule);
      const auto source = row.source == nullptr ? std::nullopt : IpAddress::parse(row.source);
      const auto router = row.router == nullptr ? std::nullopt : IpAddress::parse(row.router);
      const auto route = find_route(
          *query, {.destination = IpAddress::parse(row.destination).value(), .source = source, .mark = row.mark});
      ASSERT_TRUE(route.has_value()) << route.error();
      EXPECT_TRUE(route->unicast);
      EXPECT_EQ(route->interface, ::if_nametoindex(row.interface));
      EXPECT_EQ(route->router, router);
    }
    const auto own = find_route(*query, {.destination = *IpAddress::parse("10.0.0.5")});
    ASSERT_TRUE(own.has_value());
    EXPECT_FALSE(own->unicast);
  });
}

TEST(RouteLookup, WhatTheKernelRefuses) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_network());
    auto query = NetlinkQuery::open();
    ASSERT_TRUE(query.has_value());
    const auto refusal = [&](const char* destination, const char* source) {
      const auto route =
          find_route(*query, {.destination = *IpAddress::parse(destination), .source = IpAddress::parse(source)});
      return route ? 0 : route.error();
    };
    EXPECT_EQ(refusal("203.0.113.1", "10.0.0.5"), EACCES) << "prohibited";
    const int foreign = refusal("192.0.2.1", "10.0.0.99");
    EXPECT_TRUE(foreign == EINVAL || foreign == ENETUNREACH) << foreign << ": kernels differ; the source is nobody's";
    ASSERT_NO_FATAL_FAILURE(run("ip route del default"));
    EXPECT_EQ(refusal("192.0.2.1", "10.0.0.5"), ENETUNREACH);
  });
}

}  // namespace
}  // namespace fireline::platform
