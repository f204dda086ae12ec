#include "tools/tunnel/host_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "platform/linux/netlink_events.h"
#include "tests/unit/io/few_descriptors.h"
#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::tunnel {
namespace {

using platform::output_of;
using platform::run;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kTun = "fltest0";

// An interface with everything set, and what the kernel tells of changes from then on.
struct Host {
  io::FileDescriptor tun = platform::make_tun(kTun);
  Result<std::unique_ptr<HostNetwork>, std::string> network = make_linux_host_network(kTun);
  Result<platform::NetlinkEvents, platform::HostError> events = platform::NetlinkEvents::open();

  Instant now{};

  explicit Host(const char* before = "true") {
    run(before);
    EXPECT_TRUE((*network)->restore(now)) << "nothing is set yet";
    EXPECT_TRUE((*network)->set_addresses(IpAddress::parse("100.64.0.7").value(),
                                          IpAddress::parse("fd00:2021:1111::7").value()));
    EXPECT_TRUE((*network)->set_routes({Prefix::parse("0.0.0.0/0").value(), Prefix::parse("10.7.0.0/16").value(),
                                        Prefix::parse("fd00:2021:1111::/107").value()}));
    EXPECT_TRUE(events->drain().value()) << "the kernel tells of it";
  }
  // Whether it changed anything.
  bool restore() {
    static_cast<void>(events->drain());
    const auto done = (*network)->restore(now);
    EXPECT_TRUE(done) << done.error();
    return events->drain().value();
  }
};

// A worker of the kernel's ends an IPv6 address's "tentative" and tells of it: on a busy machine a while after the
// address was set.
std::string everything() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::string addresses = output_of("ip address show dev fltest0");
  while (addresses.contains("tentative") && std::chrono::steady_clock::now() < deadline)
    addresses = output_of("ip address show dev fltest0");
  return addresses + output_of("ip route show table 539098368; ip route show table 539098370") +
         output_of("ip -6 route show table 539098368");
}

TEST(LinuxHostNetwork, WhatSomebodyTookIsSetAgain) {
  io::in_network_namespace([] {
    Host host;
    const std::string before = everything();
    EXPECT_FALSE(host.restore()) << "all of it is there";
    for (const char* taken :
         {"ip link set fltest0 down; ip link set fltest0 up", "ip link set fltest0 down",
          "ip address del 100.64.0.7/32 dev fltest0", "ip address del fd00:2021:1111::7/128 dev fltest0",
          "ip route del 10.7.0.0/16 table 539098368", "ip route del default table 539098370"}) {
      SCOPED_TRACE(taken);
      run(taken);
      EXPECT_NE(everything(), before);
      EXPECT_TRUE(host.restore());
      EXPECT_EQ(everything(), before);
      EXPECT_FALSE(host.restore()) << "its own changes lead to nothing more";
    }
  });
}

constexpr const char* kIpv6Off = "sysctl -qw net.ipv6.conf.fltest0.disable_ipv6=1";
constexpr const char* kIpv6On = "sysctl -qw net.ipv6.conf.fltest0.disable_ipv6=0";

TEST(LinuxHostNetwork, WhatTheHostRefusesIsTriedLessAndLess) {
  io::in_network_namespace([] {
    Host host;
    const std::string before = everything();
    run(kIpv6Off);
    EXPECT_TRUE(host.restore());
    EXPECT_FALSE(host.restore()) << "there is no IPv6 here";
    run("ip route del 10.7.0.0/16 table 539098368");
    EXPECT_TRUE(host.restore()) << "but this is new";
    EXPECT_THAT(everything(), HasSubstr("10.7.0.0/16"));
    EXPECT_THAT(everything(), Not(HasSubstr("fd00:2021:1111::")));
    EXPECT_FALSE(host.restore());
    for (Duration delay = kRestoreDelayMin; delay <= kRestoreDelayMax; delay *= 2) {
      EXPECT_EQ((*host.network)->poll_timeout(), host.now + delay);
      host.now += delay - std::chrono::milliseconds(1);
      EXPECT_FALSE(host.restore());
      host.now += std::chrono::milliseconds(1);
      EXPECT_TRUE(host.restore());
    }
    EXPECT_EQ((*host.network)->poll_timeout(), host.now + kRestoreDelayMax);
    run(kIpv6On);
    host.now += kRestoreDelayMax;
    EXPECT_TRUE(host.restore());
    EXPECT_EQ(everything(), before);
    EXPECT_EQ((*host.network)->poll_timeout(), std::nullopt);
  });
}

TEST(LinuxHostNetwork, WhatIsRefusedFromTheStartWasNotTaken) {
  io::in_network_namespace([] {
    Host host(kIpv6Off);
    EXPECT_FALSE(host.restore());
    EXPECT_EQ((*host.network)->poll_timeout(), host.now + kRestoreDelayMin);
    run(kIpv6On);
    host.now += kRestoreDelayMin;
    EXPECT_TRUE(host.restore());
    EXPECT_THAT(everything(), HasSubstr("fd00:2021:1111::/107"));
    EXPECT_EQ((*host.network)->poll_timeout(), std::nullopt);
  });
}

TEST(LinuxHostNetwork, WithoutDescriptorsItComesBackLater) {
  io::in_network_namespace([] {
    Host host;
    const std::string before = everything();
    run("ip address del 100.64.0.7/32 dev fltest0");
    bool goes_on = false;
    {
      const io::FewDescriptors none(0);
      goes_on = (*host.network)->restore(host.now).has_value();
    }
    EXPECT_TRUE(goes_on);
    ASSERT_EQ((*host.network)->poll_timeout(), host.now + kRestoreDelayMin);
    host.now += kRestoreDelayMin;
    EXPECT_TRUE(host.restore());
    EXPECT_EQ(everything(), before);
    EXPECT_EQ((*host.network)->poll_timeout(), std::nullopt);
  });
}

}  // namespace
}  // namespace fireline::tunnel
