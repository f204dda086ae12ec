#include "platform/linux/link_scope_sync.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

const Instant kStart = Instant(std::chrono::hours(1));

// The kernel tells of a carrier's change afterwards, from a work queue that takes up to a second.
void wait_for_lan(std::string_view state) {
  for (int i = 0; i < 10000; ++i) {
    if (output_of("ip -o link show dev fllan0").find(state) != std::string::npos) return;
  }
  ADD_FAILURE() << "fllan0 is not " << state;
}

void make_lan() {
  run("ip link add fllan0 type veth peer name flpeer0; ip link set fllan0 up; ip link set flpeer0 up; "
      "ip address add 192.168.188.112/24 noprefixroute dev fllan0; "
      "ip route add 192.168.188.0/24 dev fllan0 scope link src 192.168.188.112 metric 600");
  wait_for_lan("state UP");
}

std::string copies() {
  return output_of("ip route show table 539098369");
}

TEST(LinkScopeSync, RunsOnceAfterAPauseInTheEventsAndNotBeforeTheFirst) {
  io::in_network_namespace([] {
    auto sync = LinkScopeSync::open();
    ASSERT_TRUE(sync);
    EXPECT_FALSE(sync->poll_timeout());
    make_lan();
    ASSERT_TRUE(becomes_readable(sync->fd()));
    ASSERT_FALSE(sync->handle_readable(kStart));
    EXPECT_EQ(sync->poll_timeout(), kStart + milliseconds(500));
    ASSERT_FALSE(sync->handle_readable(kStart + milliseconds(10)));
    EXPECT_EQ(sync->poll_timeout(), kStart + milliseconds(500)) << "nothing was there to read";
    run("ip address add 10.1.1.1/32 dev fllan0");
    ASSERT_TRUE(becomes_readable(sync->fd()));
    ASSERT_FALSE(sync->handle_readable(kStart + milliseconds(300)));
    EXPECT_FALSE(sync->handle_timeout(kStart + milliseconds(799)));
    const auto report = sync->handle_timeout(kStart + milliseconds(800));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->added, 1u);
    EXPECT_FALSE(sync->poll_timeout());
    EXPECT_FALSE(sync->handle_timeout(kStart + milliseconds(9000)));
    EXPECT_THAT(copies(), HasSubstr("192.168.188.0/24 dev fllan0 scope link src 192.168.188.112 metric 600"));
  });
}

TEST(LinkScopeSync, RunsAgainWhereTheRoutesCouldNotBeListed) {
  io::in_network_namespace([] {
    auto sync = LinkScopeSync::open();
    ASSERT_TRUE(sync);
    make_lan();
    ASSERT_TRUE(becomes_readable(sync->fd()));
    ASSERT_FALSE(sync->handle_readable(kStart));
    break_netlink_but(sync->fd());
    const auto failed = sync->handle_timeout(kStart + milliseconds(500));
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->added, 0u);
    EXPECT_EQ(sync->poll_timeout(), kStart + milliseconds(1000));
    const auto report = sync->handle_timeout(kStart + milliseconds(1000));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->added, 1u);
    EXPECT_FALSE(sync->poll_timeout());
  });
}

TEST(LinkScopeSync, AnUnchangedLanIsNotTouched) {
  io::in_network_namespace([] {
    make_lan();
    auto sync = LinkScopeSync::open();
    ASSERT_TRUE(sync);
    EXPECT_EQ(sync->sync().added, 1u);
    const auto again = sync->sync();
    EXPECT_EQ(again.added, 0u);
    EXPECT_EQ(again.deleted, 0u);
    EXPECT_TRUE(again.details.empty());
  });
}

TEST(LinkScopeSync, InterfacesThatAreNotUpAreLeftOut) {
  io::in_network_namespace([] {
    make_lan();
    run("ip link set flpeer0 down");  // fllan0 keeps its route and loses its carrier
    wait_for_lan("state LOWERLAYERDOWN");
    const auto tun = make_tun("fltest0");
    run("ip link set fltest0 up; ip route add 10.44.0.0/16 dev fltest0 scope link");  // operational state: unknown
    auto sync = LinkScopeSync::open();
    ASSERT_TRUE(sync);
    const auto report = sync->sync();
    EXPECT_EQ(report.added, 0u);
    EXPECT_EQ(report.details.size(), 2u);
    EXPECT_THAT(copies(), Not(HasSubstr("dev")));
    run("ip link set flpeer0 up");
    wait_for_lan("state UP");
    EXPECT_EQ(sync->sync().added, 1u);
  });
}

TEST(LinkScopeSync, ACopyGoesWithItsOriginal) {
  io::in_network_namespace([] {
    make_lan();
    auto sync = LinkScopeSync::open();
    ASSERT_TRUE(sync);
    EXPECT_EQ(sync->sync().added, 1u);
    run("ip route del 192.168.188.0/24; ip route add 192.168.9.0/24 dev fllan0 scope link");
    const auto report = sync->sync();
    EXPECT_EQ(report.deleted, 1u);
    EXPECT_EQ(report.added, 1u);
    EXPECT_THAT(copies(), HasSubstr("192.168.9.0/24"));
    EXPECT_THAT(copies(), Not(HasSubstr("192.168.188.0/24")));
    run("ip link del fllan0");
    EXPECT_THAT(copies(), Not(HasSubstr("dev"))) << "the kernel's own work";
  });
}

TEST(LinkScopeSync, AllCopiesGoAtTheEndAndTheOriginalsStay) {
  io::in_network_namespace([] {
    make_lan();
    run("ip address add 10.77.0.1/16 dev fllan0");
    auto sync = LinkScopeSync::open();
    ASSERT_TRUE(sync);
    EXPECT_EQ(sync->withdraw().deleted, 0u) << "there is no such table yet";
    EXPECT_EQ(sync->sync().added, 2u);
    const auto report = sync->withdraw();
    EXPECT_EQ(report.deleted, 2u);
    EXPECT_TRUE(report.details.empty());
    EXPECT_THAT(copies(), Not(HasSubstr("dev")));
    EXPECT_THAT(output_of("ip route show"), HasSubstr("192.168.188.0/24 dev fllan0"));
  });
}

TEST(LinkScopeSync, RoutesThroughARouterAreNotOfTheLan) {
  io::in_network_namespace([] {
    make_lan();
    run("ip route add default via 192.168.188.1; ip route add 10.55.0.0/16 via 192.168.188.1");
    auto sync = LinkScopeSync::open();
    ASSERT_TRUE(sync);
    EXPECT_EQ(sync->sync().added, 1u);
    EXPECT_THAT(copies(), Not(HasSubstr("via")));
  });
}

}  // namespace
}  // namespace fireline::platform
