#include "platform/linux/routing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/linux/link_scope_sync.h"
#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kName = "fltest0";
constexpr WorkingFamilies kBothFamilies{true, true};
const TunnelAddresses kAddresses{IpAddress::parse("100.64.0.7"), IpAddress::parse("fd00:2021:1111::7")};

std::vector<Prefix> prefixes(std::initializer_list<const char*> texts) {
  std::vector<Prefix> all;
  for (const char* text : texts) all.push_back(Prefix::parse(text).value());
  return all;
}

std::string table(const char* number, const char* family = "-4") {
  return output_of(std::string("ip ") + family + " route show table " + number);
}

// The tunnel as a client has it after its first configuration.
struct Tunnel {
  io::FileDescriptor tun = make_tun(kName);
  Result<Routing, HostError> routing = Routing::open(kName);

  Tunnel() {
    EXPECT_TRUE(set_addresses(kName, kAddresses));
    EXPECT_THAT(routing->add_rules(kBothFamilies).warnings, IsEmpty());
  }
  void set_routes(std::initializer_list<const char*> texts) {
    const auto report = routing->set_routes(prefixes(texts), kBothFamilies);
    ASSERT_TRUE(report) << report.error().sentence;
    EXPECT_THAT(report->warnings, IsEmpty());
  }
};

TEST(Routing, ThreeRulesPerFamilyOnceHoweverOftenTheyAreAdded) {
  io::in_network_namespace([] {
    Tunnel tunnel;
    EXPECT_THAT(tunnel.routing->add_rules(kBothFamilies).warnings, IsEmpty());
    for (const char* family : {"-4", "-6"}) {
      const std::string rules = output_of(std::string("ip -d ") + family + " rule show");
      EXPECT_THAT(rules, HasSubstr("100:\tnot from all fwmark 0xfd002021 lookup 539098368 proto kernel\n"
                                   "200:\tnot from all fwmark 0xfd002021 lookup 539098369 proto kernel\n"
                                   "300:\tnot from all fwmark 0xfd002021 lookup 539098370 proto kernel\n"));
    }
  });
}

TEST(Routing, RulesAreForWorkingFamiliesAlone) {
  io::in_network_namespace([] {
    auto routing = Routing::open(kName);
    ASSERT_TRUE(routing);
    EXPECT_THAT(routing->add_rules({true, false}).warnings, IsEmpty());
    EXPECT_THAT(output_of("ip -4 rule show"), HasSubstr("539098370"));
    EXPECT_THAT(output_of("ip -6 rule show"), Not(HasSubstr("539098368")));
  });
}

TEST(Routing, DefaultRoutesHaveATableOfTheirOwn) {
  io::in_network_namespace([] {
    Tunnel tunnel;
    tunnel.set_routes({"100.64.0.0/11", "10.7.0.0/16", "0.0.0.0/0", "fd00:2021:1111::/107", "::/0"});
    EXPECT_THAT(table("539098368"), HasSubstr("10.7.0.0/16 dev fltest0 proto static"));
    EXPECT_THAT(table("539098368"), Not(HasSubstr("default")));
    EXPECT_THAT(table("539098370"), HasSubstr("default dev fltest0 proto static"));
    EXPECT_THAT(table("539098368", "-6"), HasSubstr("fd00:2021:1111::/107 dev fltest0 proto static"));
    EXPECT_THAT(table("539098370", "-6"), HasSubstr("default dev fltest0 proto static"));
  });
}

TEST(Routing, ASetReplacesTheOneBefore) {
  io::in_network_namespace([] {
    Tunnel tunnel;
    tunnel.set_routes({"100.64.0.0/11", "10.7.0.0/16", "0.0.0.0/0"});
    tunnel.set_routes({"100.64.0.0/11", "10.8.0.0/16"});
    EXPECT_THAT(table("539098368"), HasSubstr("10.8.0.0/16"));
    EXPECT_THAT(table("539098368"), Not(HasSubstr("10.7.0.0/16")));
    EXPECT_THAT(table("539098370"), Not(HasSubstr("default")));
  });
}

TEST(Routing, EverySetAddsAllRoutesAgain) {
  io::in_network_namespace([] {
    Tunnel tunnel;
    tunnel.set_routes({"100.64.0.0/11", "10.7.0.0/16"});
    run("ip route flush table 539098368");
    tunnel.set_routes({"100.64.0.0/11", "10.7.0.0/16"});
    EXPECT_THAT(table("539098368"), HasSubstr("10.7.0.0/16"));
    // Another address makes the kernel drop them all, in every table.
    ASSERT_TRUE(set_addresses(kName, {IpAddress::parse("100.64.0.99"), kAddresses.v6}));
    EXPECT_THAT(table("539098368"), Not(HasSubstr("10.7.0.0/16")))
        << "the reason for the order: else this tests nothing";
    tunnel.set_routes({"100.64.0.0/11", "10.7.0.0/16"});
    EXPECT_THAT(table("539098368"), HasSubstr("10.7.0.0/16"));
  });
}

TEST(Routing, ADeletedRouteThatIsGoneAlreadyIsSilent) {
  io::in_network_namespace([] {
    Tunnel tunnel;
    tunnel.set_routes({"10.7.0.0/16", "fd77::/64"});
    run("ip route flush table 539098368; ip -6 route flush table 539098368");
    tunnel.set_routes({});
  });
}

TEST(Routing, AnotherDeviceOfTheSameNameIsFound) {
  io::in_network_namespace([] {
    Tunnel tunnel;
    tunnel.set_routes({"10.7.0.0/16"});
    tunnel.tun.reset();
    const auto gone = tunnel.routing->set_routes(prefixes({"10.7.0.0/16"}), kBothFamilies);
    ASSERT_FALSE(gone);
    EXPECT_THAT(gone.error().sentence, HasSubstr("no interface fltest0"));
    tunnel.tun = make_tun(kName);
    ASSERT_TRUE(set_addresses(kName, kAddresses));
    tunnel.set_routes({"10.7.0.0/16"});
    EXPECT_THAT(table("539098368"), HasSubstr("10.7.0.0/16"));
  });
}

TEST(Routing, ARouteThatFailsStopsNoOtherAndIsAWarning) {
  io::in_network_namespace([] {
    Tunnel tunnel;
    run("ip link set fltest0 down");
    const auto down = tunnel.routing->set_routes(prefixes({"10.7.0.0/16", "10.8.0.0/16"}), kBothFamilies);
    ASSERT_TRUE(down);
    EXPECT_THAT(down->warnings, testing::ElementsAre("cannot add the route 10.7.0.0/16: Network is down",
                                                     "cannot add the route 10.8.0.0/16: Network is down"));
  });
}

TEST(Routing, RoutesOfAFamilyThatDoesNotWorkAreLeftOut) {
  io::in_network_namespace([] {
    run("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    const auto tun = make_tun(kName);
    const auto applied = set_addresses(kName, kAddresses);
    ASSERT_TRUE(applied);
    auto routing = Routing::open(kName);
    EXPECT_THAT(routing->add_rules(applied->families).warnings, IsEmpty());
    const auto report = routing->set_routes(client_base_routes(), applied->families);
    ASSERT_TRUE(report);
    EXPECT_THAT(report->warnings, IsEmpty());
    EXPECT_THAT(table("539098368"), HasSubstr("100.96.0.0/11"));
  });
}

TEST(Routing, WhatACrashLeftIsClearedAtTheStart) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    run("ip link set fltest0 up; ip route add 10.7.0.0/16 dev fltest0 table 539098368; "
        "ip route add 10.8.0.0/16 dev fltest0 scope link metric 600 table 539098369; "
        "ip route add default dev fltest0 table 539098370; ip -6 route add default dev fltest0 table 539098370; "
        "ip -6 route add fd77::/64 dev fltest0 table 539098368; ip route add 10.9.0.0/16 dev fltest0; "
        "ip route add 10.10.0.0/16 dev fltest0 table 99");
    auto routing = Routing::open(kName);
    const auto report = routing->clear_tables();
    EXPECT_THAT(report.warnings, IsEmpty());
    EXPECT_THAT(report.details, IsEmpty());
    for (const char* number : {"539098368", "539098369", "539098370"}) {
      EXPECT_THAT(table(number), Not(HasSubstr("dev"))) << number;
      EXPECT_THAT(table(number, "-6"), Not(HasSubstr("dev"))) << number;
    }
    EXPECT_THAT(table("main"), HasSubstr("10.9.0.0/16"));
    EXPECT_THAT(table("99"), HasSubstr("10.10.0.0/16"));
  });
}

TEST(Routing, WithoutPrivilegeEachMissingPieceIsAWarning) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    auto routing = Routing::open(kName);
    // This thread alone, which ends with the test.
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    EXPECT_EQ(routing->add_rules(kBothFamilies).warnings.size(), 2u) << "one for each family, not for each rule";
    const auto report = routing->set_routes(gateway_routes(), kBothFamilies);
    ASSERT_TRUE(report);
    ASSERT_EQ(report->warnings.size(), 2u);
    EXPECT_THAT(report->warnings[0], HasSubstr("CAP_NET_ADMIN"));
  });
}

// Customer routes, then the LAN, then the Internet resource; marked sockets as if there were no tunnel.
TEST(Routing, ThreeTiersAndTheMark) {
  io::in_network_namespace([] {
    run("ip link add fllan0 type veth peer name flpeer0; ip link set fllan0 up; ip link set flpeer0 up; "
        "ip address add 192.168.5.2/24 dev fllan0; ip route add default via 192.168.5.1");
    Tunnel tunnel;
    tunnel.set_routes({"100.64.0.0/11", "192.168.5.128/25", "192.168.0.0/16", "0.0.0.0/0"});
    auto sync = LinkScopeSync::open();
    ASSERT_TRUE(sync);
    EXPECT_EQ(sync->sync().added, 1u);
    const auto way = [](const std::string& to) { return output_of("ip route get " + to); };
    EXPECT_THAT(way("192.168.5.200"), HasSubstr("dev fltest0")) << "a customer's route is before the LAN's";
    EXPECT_THAT(way("192.168.5.3"), HasSubstr("dev fltest0")) << "also where its prefix is shorter";
    EXPECT_THAT(way("203.0.113.1"), HasSubstr("dev fltest0")) << "the Internet resource";
    EXPECT_THAT(way("203.0.113.1 mark 0xfd002021"), HasSubstr("dev fllan0"));
    EXPECT_THAT(way("192.168.5.200 mark 0xfd002021"), HasSubstr("dev fllan0"));
    tunnel.set_routes({"100.64.0.0/11", "192.168.5.128/25", "0.0.0.0/0"});
    EXPECT_THAT(way("192.168.5.3"), HasSubstr("dev fllan0")) << "the LAN is before the Internet resource";
    EXPECT_THAT(way("192.168.5.200"), HasSubstr("dev fltest0"));
  });
}

}  // namespace
}  // namespace fireline::platform
