#include "platform/linux/tun_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kName = "fltest0";
const TunnelAddresses kBoth{IpAddress::parse("100.64.0.7"), IpAddress::parse("fd00:2021:1111::7")};

std::string addresses() {
  return output_of("ip -o address show dev fltest0");
}

TEST(TunSettings, SetsAddressesMtuAndTheLinkAndReportsBothFamilies) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    const auto applied = set_addresses(kName, kBoth);
    ASSERT_TRUE(applied) << applied.error().sentence;
    EXPECT_EQ(applied->families, (WorkingFamilies{true, true}));
    EXPECT_TRUE(applied->warnings.empty());
    EXPECT_THAT(addresses(), HasSubstr("inet 100.64.0.7/32"));
    EXPECT_THAT(addresses(), HasSubstr("inet6 fd00:2021:1111::7/128"));
    const std::string link = output_of("ip -d link show dev fltest0");
    EXPECT_THAT(link, HasSubstr("mtu 1280"));
    EXPECT_THAT(link, HasSubstr(",UP"));
    EXPECT_THAT(link, HasSubstr("addrgenmode none"));
  });
}

TEST(TunSettings, ReplacesWhatWasThereAlsoALinkLocalAddressThatWasJustMade) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    run("ip address add 10.1.2.3/24 dev fltest0; ip address add 10.1.2.4 peer 10.9.9.9 dev fltest0; "
        "ip -6 address add fd77::1/64 dev fltest0; ip link set fltest0 up");
    ASSERT_THAT(addresses(), HasSubstr("fe80::")) << "the kernel makes one: else this tests nothing";
    for (int i = 0; i < 2; ++i) {
      const auto applied = set_addresses(kName, kBoth);
      ASSERT_TRUE(applied) << applied.error().sentence;
      EXPECT_THAT(addresses(), Not(HasSubstr("fe80::")));
      EXPECT_THAT(addresses(), Not(HasSubstr("10.")));
      EXPECT_THAT(addresses(), Not(HasSubstr("fd77")));
      EXPECT_THAT(addresses(), HasSubstr("100.64.0.7/32"));
    }
  });
}

TEST(TunSettings, WhatStaysKeepsItsRoutes) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    ASSERT_TRUE(set_addresses(kName, kBoth));
    run("ip route add 10.9.0.0/16 dev fltest0; ip route add 10.8.0.0/16 dev fltest0 table 100; "
        "ip -6 route add fd99::/64 dev fltest0");
    const auto routes = [] { return output_of("ip route show table all dev fltest0; ip -6 route show dev fltest0"); };
    const std::string before = routes();
    ASSERT_THAT(before, HasSubstr("10.8.0.0/16"));
    ASSERT_TRUE(set_addresses(kName, kBoth));
    EXPECT_EQ(routes(), before);
    // The same addresses with other networks are others.
    run("ip address add 100.64.0.9/24 dev fltest0; ip -6 address del fd00:2021:1111::7/128 dev fltest0; "
        "ip -6 address add fd00:2021:1111::7/64 dev fltest0");
    ASSERT_TRUE(set_addresses(kName, kBoth));
    EXPECT_THAT(addresses(), HasSubstr("inet6 fd00:2021:1111::7/128"));
    EXPECT_THAT(addresses(), Not(HasSubstr("100.64.0.9")));
    EXPECT_THAT(routes(), HasSubstr("10.8.0.0/16"));
    // Another client's.
    ASSERT_TRUE(set_addresses(kName, {IpAddress::parse("100.64.0.8"), kBoth.v6}));
    EXPECT_THAT(addresses(), Not(HasSubstr("100.64.0.7")));
    EXPECT_THAT(addresses(), HasSubstr("100.64.0.8/32"));
  });
}

TEST(TunSettings, AHostWithoutIpv6WorksWithIpv4Alone) {
  io::in_network_namespace([] {
    run("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    const auto tun = make_tun(kName);
    const auto applied = set_addresses(kName, kBoth);
    ASSERT_TRUE(applied) << applied.error().sentence;
    EXPECT_EQ(applied->families, (WorkingFamilies{true, false}));
    ASSERT_EQ(applied->warnings.size(), 1u);
    EXPECT_THAT(applied->warnings[0], HasSubstr("IPv6 is off in the tunnel"));

    const auto none = set_addresses(kName, {std::nullopt, kBoth.v6});
    ASSERT_FALSE(none) << "no family works: the program must not go on";
    EXPECT_THAT(none.error().sentence, HasSubstr("cannot add the address fd00:2021:1111::7 to fltest0"));
  });
}

TEST(TunSettings, AFamilyThatIsNotAskedForIsOff) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    const auto applied = set_addresses(kName, {std::nullopt, kBoth.v6});
    ASSERT_TRUE(applied);
    EXPECT_EQ(applied->families, (WorkingFamilies{false, true}));
    EXPECT_TRUE(applied->warnings.empty());
    EXPECT_FALSE(set_addresses(kName, {}));
  });
}

TEST(TunSettings, SetsTheQueueLength) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    const auto error = set_queue_length(kName);
    EXPECT_FALSE(error) << error->sentence;
    EXPECT_THAT(output_of("ip link show dev fltest0"), HasSubstr("qlen 10000"));
  });
}

TEST(TunSettings, ErrorsNameWhatFailedAndTheFix) {
  io::in_network_namespace([] {
    const auto unknown = set_addresses("no-such-tun0", kBoth);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().sentence, "cannot set the addresses of no-such-tun0: No such device");
    EXPECT_EQ(set_queue_length("no-such-tun0")->code, ENODEV);

    const auto tun = make_tun(kName);
    const auto mtu = set_addresses(kName, kBoth, 1'000'000);
    ASSERT_FALSE(mtu);
    EXPECT_THAT(mtu.error().sentence, HasSubstr("cannot set the MTU of fltest0 to 1000000"));

    // This thread alone, which ends with the test.
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    const auto refused = set_addresses(kName, kBoth);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().sentence, HasSubstr("run as root or grant CAP_NET_ADMIN"));
    EXPECT_EQ(set_queue_length(kName)->code, EPERM);
  });
}

}  // namespace
}  // namespace fireline::platform
