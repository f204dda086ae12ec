#include "platform/linux/link_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

using io::FileDescriptor;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kName = "fltest0";

// Events from now until `last` was among them.
std::vector<LinkEvent> events_until(LinkMonitor& monitor, LinkEvent last) {
  std::vector<LinkEvent> all;
  while (std::ranges::find(all, last) == all.end() && becomes_readable(monitor.fd())) {
    const auto events = monitor.drain();
    EXPECT_TRUE(events);
    if (!events) break;
    all.insert(all.end(), events->begin(), events->end());
  }
  return all;
}

TEST(LinkMonitor, TellsEachChangeOnce) {
  io::in_network_namespace([] {
    auto tun = make_tun(kName);
    auto monitor = LinkMonitor::open(kName);
    ASSERT_TRUE(monitor) << monitor.error().sentence;
    EXPECT_EQ(monitor->state(), (LinkState{.present = true, .up = false, .mtu = 1500}));
    EXPECT_THAT(*monitor->drain(), IsEmpty());

    io::set_interface_up(kName);
    EXPECT_THAT(events_until(*monitor, LinkEvent::up), ElementsAre(LinkEvent::up));
    io::set_interface_mtu(kName, 1280);
    EXPECT_THAT(events_until(*monitor, LinkEvent::mtu_changed), ElementsAre(LinkEvent::mtu_changed));
    EXPECT_EQ(monitor->state().mtu, 1280u);
    io::set_interface_up(kName, false);
    EXPECT_THAT(events_until(*monitor, LinkEvent::down), ElementsAre(LinkEvent::down));
    tun.reset();
    EXPECT_THAT(events_until(*monitor, LinkEvent::removed), ElementsAre(LinkEvent::removed));
    EXPECT_FALSE(monitor->state().present);
  });
}

TEST(LinkMonitor, ReadsTheStateThatItFinds) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    io::set_interface_mtu(kName, 1420);
    io::set_interface_up(kName);
    const auto monitor = LinkMonitor::open(kName);
    ASSERT_TRUE(monitor);
    EXPECT_EQ(monitor->state(), (LinkState{.present = true, .up = true, .mtu = 1420}));
  });
}

TEST(LinkMonitor, IgnoresOtherInterfacesAndFollowsARename) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    const auto other = make_tun("flother0");
    auto monitor = LinkMonitor::open(kName);
    ASSERT_TRUE(monitor);
    io::set_interface_up("flother0");
    const FileDescriptor control(::socket(AF_INET, SOCK_DGRAM, 0));
    ifreq request = io::interface_request(kName);
    std::strcpy(request.ifr_newname, "flnew0");
    ASSERT_EQ(::ioctl(control.get(), SIOCSIFNAME, &request), 0) << std::strerror(errno);
    io::set_interface_up("flnew0");
    EXPECT_THAT(events_until(*monitor, LinkEvent::up), ElementsAre(LinkEvent::up));
  });
}

TEST(LinkMonitor, AnOverflowLosesNoState) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    auto monitor = LinkMonitor::open(kName);
    ASSERT_TRUE(monitor);
    const int small = 1;  // the kernel raises it to its least
    ASSERT_EQ(::setsockopt(monitor->fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    for (int mtu = 1281; mtu <= 1400; ++mtu) io::set_interface_mtu(kName, mtu);
    io::set_interface_up(kName);
    const auto events = events_until(*monitor, LinkEvent::up);
    EXPECT_LT(events.size(), 120u) << "notifications were lost, or this tests nothing";
    EXPECT_EQ(monitor->state(), (LinkState{.present = true, .up = true, .mtu = 1400}));
    EXPECT_THAT(*monitor->drain(), IsEmpty());
  });
}

TEST(LinkMonitor, RefusesAnUnknownName) {
  const auto monitor = LinkMonitor::open("no-such-link0");
  ASSERT_FALSE(monitor);
  EXPECT_EQ(monitor.error().code, ENODEV);
  EXPECT_EQ(monitor.error().sentence, "cannot find the interface: No such device");
}

}  // namespace
}  // namespace fireline::platform
