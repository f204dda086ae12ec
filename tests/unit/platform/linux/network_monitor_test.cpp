#include "platform/linux/network_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

using ::testing::HasSubstr;

constexpr const char* kTun = "fltest0";

void make_network() {
  run("ip link add flwifi0 type veth peer name flpeer0; ip link set flwifi0 up; ip link set flpeer0 up; "
      "ip address add 192.168.5.2/24 dev flwifi0; ip route add default via 192.168.5.1 metric 600");
}

// A monitor, and a clock that moves on before each look.
struct Watch {
  Result<NetworkMonitor, HostError> monitor = NetworkMonitor::open(kTun);
  Instant now{std::chrono::hours(1)};
  Duration pause = std::chrono::minutes(1);  // between commands
  bool accept = false;                       // somebody else notices while the events settle

  // What the events of a command come to; the command must cause some.
  std::optional<NetworkChange> after(const std::string& command) {
    run(command);
    EXPECT_TRUE(becomes_readable(monitor->fd())) << command;
    now += pause;
    EXPECT_FALSE(monitor->handle_readable(now));
    const auto due = monitor->poll_timeout();
    EXPECT_EQ(due, now + NetworkMonitor::kQuiet);
    EXPECT_FALSE(monitor->handle_timeout(now));
    if (accept) monitor->accept();
    return monitor->handle_timeout(due.value_or(now));
  }
};

TEST(NetworkMonitor, KnowsTheNetworkThatItFinds) {
  io::in_network_namespace([] {
    make_network();
    const auto monitor = NetworkMonitor::open(kTun);
    ASSERT_TRUE(monitor);
    EXPECT_TRUE(monitor->state().online());
    EXPECT_EQ(monitor->state().v4.gateway, IpAddress::parse("192.168.5.1"));
    EXPECT_EQ(monitor->state().v4.addresses, std::vector{IpAddress::parse("192.168.5.2").value()});
    EXPECT_FALSE(monitor->poll_timeout()) << "no event at the start";
  });
}

TEST(NetworkMonitor, TellsARoamToAnotherInterface) {
  io::in_network_namespace([] {
    make_network();
    Watch watch;
    ASSERT_TRUE(watch.monitor);
    const auto change = watch.after(
        "ip link add fleth0 type veth peer name flpeer1; ip link set fleth0 up; ip link set flpeer1 up; "
        "ip address add 10.0.0.2/24 dev fleth0; ip route add default via 10.0.0.1 metric 100");
    ASSERT_TRUE(change) << "a cable was plugged in while the other network stays";
    EXPECT_TRUE(change->online);
    EXPECT_THAT(change->sentence, HasSubstr("IPv4 from 10.0.0.2 on fleth0 via 10.0.0.1"));
    const auto back = watch.after("ip link set flpeer1 down; ip link set fleth0 down");
    ASSERT_TRUE(back);
    EXPECT_THAT(back->sentence, HasSubstr("192.168.5.2 on flwifi0"));
  });
}

TEST(NetworkMonitor, TellsAnotherAddressAndAnotherRouter) {
  io::in_network_namespace([] {
    make_network();
    Watch watch;
    ASSERT_TRUE(watch.monitor);
    EXPECT_TRUE(
        watch.after("ip address flush dev flwifi0; ip address add 192.168.5.9/24 dev flwifi0; "
                    "ip route add default via 192.168.5.1 metric 600"));
    EXPECT_TRUE(watch.after("ip route replace default via 192.168.5.254 metric 600"));
  });
}

TEST(NetworkMonitor, LooksAgainWhereALookFailed) {
  io::in_network_namespace([] {
    make_network();
    Watch watch;
    ASSERT_TRUE(watch.monitor);
    break_netlink_but(watch.monitor->fd());
    EXPECT_FALSE(watch.after("ip address add 192.168.5.9/24 dev flwifi0; ip address del 192.168.5.2/24 dev flwifi0"));
    const auto due = watch.monitor->poll_timeout();
    ASSERT_TRUE(due) << "no event comes for what has changed already";
    EXPECT_TRUE(watch.monitor->handle_timeout(*due));
  });
}

TEST(NetworkMonitor, TellsThatTheNetworkIsGoneAndThatItIsBack) {
  io::in_network_namespace([] {
    make_network();
    run("ip link set flpeer0 up");
    Watch watch;
    ASSERT_TRUE(watch.monitor);
    const auto gone = watch.after("ip address flush dev flwifi0");
    ASSERT_TRUE(gone);
    EXPECT_FALSE(gone->online);
    const auto back = watch.after("ip address add 192.168.5.2/24 dev flwifi0");
    ASSERT_TRUE(back) << "a network without a default route is one by its addresses";
    EXPECT_TRUE(back->online);
  });
}

struct Row {
  const char* rule;
  const char* command;
};

const Row kIgnored[] = {
    {"the same address again", "ip address change 192.168.5.2/24 dev flwifi0 valid_lft 600 preferred_lft 600"},
    {"a second address of the same network", "ip address add 192.168.5.9/24 dev flwifi0"},
    {"our TUN comes up with its addresses", "ip address add 100.64.0.7/32 dev fltest0; ip link set fltest0 up"},
    {"routes in our tables", "ip route add default dev fltest0 table 539098370"},
    {"a default route through our TUN", "ip route add default dev fltest0 metric 1"},
    {"a worse default route", "ip route add default via 192.168.5.77 metric 700"},
    {"a route to some network", "ip route add 10.99.0.0/16 via 192.168.5.1"},
    {"a container's pair without a default route",
     "ip link add flct0 type veth peer name flct1; ip link set flct0 up; ip link set flct1 up; ip address add "
     "172.17.0.1/16 dev flct0"},
    {"a container's bridge with IPv6, where nobody has a default route of that family",
     "ip link add flct2 type veth peer name flct3; ip link set flct2 up; ip link set flct3 up; ip -6 address add "
     "fd42::1/64 dev flct2 nodad"},
    {"a link-local address", "ip -6 address add fe80::77/64 dev flwifi0 nodad"},
    {"a temporary address that has run out",
     "ip address add 192.168.5.44/24 dev flwifi0 preferred_lft 0 valid_lft 600"},
};

TEST(NetworkMonitor, WhatSomebodyElseNoticedIsNotToldAgain) {
  io::in_network_namespace([] {
    make_network();
    Watch watch;
    ASSERT_TRUE(watch.monitor);
    watch.accept = true;
    EXPECT_FALSE(watch.after("ip route replace default via 192.168.5.254 metric 600"));
    EXPECT_EQ(watch.monitor->state().v4.gateway, IpAddress::parse("192.168.5.254"));
    watch.accept = false;
    EXPECT_TRUE(watch.after("ip route replace default via 192.168.5.253 metric 600")) << "what comes later is told";
  });
}

// A cable: IPv4 can be used at once, and IPv6 when the kernel has looked for duplicates, which takes it a minute here.
constexpr const char* kPlug =
    "sysctl -qw net.ipv6.conf.flwifi0.accept_dad=1 net.ipv6.conf.flwifi0.dad_transmits=60; "
    "ip address flush dev flwifi0 scope global; ip address add 10.0.0.2/24 dev flwifi0; ip route replace default via "
    "10.0.0.1 metric 600; ip -6 address add fd05::2/64 dev flwifi0; ip -6 route add default via fd05::1";
constexpr const char* kNoDuplicate =
    "ip -6 address del fd05::2/64 dev flwifi0; ip -6 address add fd05::2/64 dev flwifi0 nodad; "
    "ip -6 route replace default via fd05::1";

TEST(NetworkMonitor, APluggedCableIsOneChangeOfBothFamilies) {
  io::in_network_namespace([] {
    make_network();
    Watch watch;
    ASSERT_TRUE(watch.monitor);
    EXPECT_FALSE(watch.after(kPlug)) << "an address is tentative";
    EXPECT_TRUE(watch.monitor->poll_timeout()) << "it looks again";
    watch.pause = std::chrono::seconds(1);
    const auto change = watch.after(kNoDuplicate);
    ASSERT_TRUE(change);
    EXPECT_THAT(change->sentence, HasSubstr("IPv4 from 10.0.0.2"));
    EXPECT_THAT(change->sentence, HasSubstr("IPv6 from fd05::2"));
    EXPECT_FALSE(watch.monitor->poll_timeout());
  });
}

TEST(NetworkMonitor, ATentativeAddressIsNotWaitedForWithoutEnd) {
  io::in_network_namespace([] {
    make_network();
    Watch watch;
    ASSERT_TRUE(watch.monitor);
    EXPECT_FALSE(watch.after(kPlug));
    const Instant plugged = watch.now;
    std::optional<NetworkChange> change;
    Instant told{};
    while (!change) {
      const auto due = watch.monitor->poll_timeout();
      ASSERT_TRUE(due) << "it waits";
      told = *due;
      change = watch.monitor->handle_timeout(told);
    }
    EXPECT_GE(told - plugged, NetworkMonitor::kSettling);
    EXPECT_LE(told - plugged, NetworkMonitor::kSettling + 2 * NetworkMonitor::kQuiet);
    EXPECT_THAT(change->sentence, HasSubstr("IPv6 has no address"));
    const auto later = watch.after(kNoDuplicate);
    ASSERT_TRUE(later);
    EXPECT_THAT(later->sentence, HasSubstr("IPv6 from fd05::2"));
  });
}

TEST(NetworkMonitor, IgnoresWhatIsNotAnotherNetwork) {
  io::in_network_namespace([] {
    make_network();
    const auto tun = make_tun(kTun);
    Watch watch;
    ASSERT_TRUE(watch.monitor);
    for (const Row& row : kIgnored) {
      SCOPED_TRACE(row.rule);
      const auto change = watch.after(row.command);
      EXPECT_FALSE(change) << change->sentence;
    }
  });
}

}  // namespace
}  // namespace fireline::platform
