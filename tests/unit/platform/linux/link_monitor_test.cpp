#include "platform/linux/link_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include <thread>

#include "platform/linux/netlink_query.h"
#include "platform/linux/privileges.h"
#include "tests/unit/io/few_descriptors.h"
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

TEST(LinkMonitor, AnOverflowWaitsForADescriptorToAskWith) {
  io::in_network_namespace([] {
    const auto tun = make_tun(kName);
    auto monitor = LinkMonitor::open(kName);
    ASSERT_TRUE(monitor);
    const int small = 1;
    ASSERT_EQ(::setsockopt(monitor->fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    for (int mtu = 1281; mtu <= 1400; ++mtu) io::set_interface_mtu(kName, mtu);
    {
      const io::FewDescriptors none(0);
      const auto events = monitor->drain();
      ASSERT_TRUE(events) << events.error().sentence;
      EXPECT_TRUE(monitor->is_behind());
    }
    EXPECT_THAT(*monitor->drain(), ElementsAre(LinkEvent::mtu_changed));
    EXPECT_FALSE(monitor->is_behind());
    EXPECT_EQ(monitor->state().mtu, 1400u);
  });
}

// A network namespace beside the thread's own. What is done in it is done on a thread of its own.
class OtherNamespace {
 public:
  OtherNamespace() {
    std::thread([this] {
      EXPECT_EQ(::unshare(CLONE_NEWNET), 0) << std::strerror(errno);
      fd_ = of_thread();
    }).join();
  }

  static FileDescriptor of_thread() { return FileDescriptor(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }
  [[nodiscard]] int fd() const { return fd_.get(); }

  template <class Body>
  void in(Body body) const {
    std::thread([&] {
      ASSERT_EQ(::setns(fd(), CLONE_NEWNET), 0) << std::strerror(errno);
      body();
    }).join();
  }

 private:
  FileDescriptor fd_;
};

// From the thread's namespace; with another name in the same request, as container managers do it.
void move_link(const std::string& name, int namespace_fd, const std::string& new_name = {}) {
  auto query = NetlinkQuery::open();
  ASSERT_TRUE(query);
  nlmsghdr* const request = query->request(RTM_NEWLINK);
  auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
  info->ifi_index = static_cast<int>(if_nametoindex(name.c_str()));
  if (!new_name.empty()) mnl_attr_put_strz(request, IFLA_IFNAME, new_name.c_str());
  mnl_attr_put_u32(request, IFLA_NET_NS_FD, static_cast<std::uint32_t>(namespace_fd));
  ASSERT_EQ(query->ask([](const nlmsghdr*, void*) { return MNL_CB_OK; }, nullptr), 0);
}

TEST(LinkMonitor, FollowsIntoAnotherNamespaceAndBack) {
  io::in_network_namespace([] {
    const FileDescriptor home = OtherNamespace::of_thread();
    const OtherNamespace other;
    auto tun = make_tun(kName);
    auto opened = LinkMonitor::open(kName);
    ASSERT_TRUE(opened);
    LinkMonitor& monitor = *opened;
    const auto index = monitor.place().index;
    FileDescriptor first;
    other.in([&first] { first = make_tun("flfirst0"); });  // has the index that the interface would keep
    io::set_interface_up(kName);
    EXPECT_THAT(events_until(monitor, LinkEvent::up), ElementsAre(LinkEvent::up));

    move_link(kName, other.fd());
    EXPECT_THAT(events_until(monitor, LinkEvent::moved), ElementsAre(LinkEvent::down, LinkEvent::moved));
    EXPECT_TRUE(monitor.place().nsid);
    EXPECT_NE(monitor.place().index, index) << "it has another one there";
    EXPECT_TRUE(monitor.state().present);
    other.in([] {
      io::set_interface_up(kName);
      io::set_interface_mtu(kName, 1280);
    });
    EXPECT_THAT(events_until(monitor, LinkEvent::mtu_changed), ElementsAre(LinkEvent::up, LinkEvent::mtu_changed));
    EXPECT_EQ(monitor.state(), (LinkState{.present = true, .up = true, .mtu = 1280}));

    other.in([&] { move_link(kName, home.get()); });
    EXPECT_THAT(events_until(monitor, LinkEvent::moved), ElementsAre(LinkEvent::down, LinkEvent::moved));
    EXPECT_EQ(monitor.place().nsid, std::nullopt);
    io::set_interface_up(kName);
    EXPECT_THAT(events_until(monitor, LinkEvent::up), ElementsAre(LinkEvent::up));

    move_link(kName, other.fd(), "flother0");
    EXPECT_THAT(events_until(monitor, LinkEvent::moved), ElementsAre(LinkEvent::down, LinkEvent::moved));
    other.in([&] { move_link("flother0", home.get(), kName); });
    EXPECT_THAT(events_until(monitor, LinkEvent::moved), ElementsAre(LinkEvent::moved)) << "a name is nothing";
    EXPECT_EQ(monitor.place().nsid, std::nullopt);

    move_link(kName, other.fd());
    EXPECT_THAT(events_until(monitor, LinkEvent::moved), ElementsAre(LinkEvent::moved));
    tun.reset();
    EXPECT_THAT(events_until(monitor, LinkEvent::removed), ElementsAre(LinkEvent::removed));
  });
}

TEST(LinkMonitor, AnOverflowThereLosesNoStateEither) {
  io::in_network_namespace([] {
    const OtherNamespace other;
    const auto tun = make_tun(kName);
    auto monitor = LinkMonitor::open(kName);
    ASSERT_TRUE(monitor);
    move_link(kName, other.fd());
    EXPECT_THAT(events_until(*monitor, LinkEvent::moved), ElementsAre(LinkEvent::moved));
    const int small = 1;
    ASSERT_EQ(::setsockopt(monitor->fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    other.in([] {
      for (int mtu = 1281; mtu <= 1400; ++mtu) io::set_interface_mtu(kName, mtu);
      io::set_interface_up(kName);
    });
    EXPECT_LT(events_until(*monitor, LinkEvent::up).size(), 120u);
    EXPECT_EQ(monitor->state(), (LinkState{.present = true, .up = true, .mtu = 1400}));
  });
}

TEST(LinkMonitor, AnotherInterfaceOfTheSameIndexElsewhereIsNone) {
  io::in_network_namespace([] {
    const OtherNamespace other;
    const auto tun = make_tun(kName);
    const auto guide = make_tun("flguide0");
    auto monitor = LinkMonitor::open(kName);
    ASSERT_TRUE(monitor);
    // From here on this namespace has an id of its own, and hears of the other one.
    auto query = NetlinkQuery::open();
    ASSERT_TRUE(query);
    nlmsghdr* const request = query->request(RTM_NEWNSID);
    static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg)))->rtgen_family = AF_UNSPEC;
    const FileDescriptor home = OtherNamespace::of_thread();
    mnl_attr_put_u32(request, NETNSA_FD, static_cast<std::uint32_t>(home.get()));
    mnl_attr_put_u32(request, NETNSA_NSID, 0);
    ASSERT_EQ(query->ask([](const nlmsghdr*, void*) { return MNL_CB_OK; }, nullptr), 0);
    move_link("flguide0", other.fd());
    other.in([&] {
      const auto twin = make_tun("fltwin0");
      ASSERT_EQ(if_nametoindex("fltwin0"), monitor->place().index) << "else this tests nothing";
      io::set_interface_up("fltwin0");
    });
    ASSERT_TRUE(becomes_readable(monitor->fd())) << "it is heard of";
    EXPECT_THAT(*monitor->drain(), IsEmpty());
    io::set_interface_up(kName);
    EXPECT_THAT(events_until(*monitor, LinkEvent::up), ElementsAre(LinkEvent::up));
  });
}

TEST(LinkMonitor, WhatCannotBeFollowedIsLost) {
  io::in_network_namespace([] {
    const OtherNamespace other;
    const OtherNamespace third;
    const auto tun = make_tun(kName);
    auto followed = LinkMonitor::open(kName);
    ASSERT_TRUE(followed);
    ASSERT_FALSE(drop_privileges({CAP_NET_ADMIN, CAP_SYS_ADMIN}));  // of this thread
    auto monitor = LinkMonitor::open(kName);
    ASSERT_TRUE(monitor);
    move_link(kName, other.fd());
    EXPECT_THAT(events_until(*monitor, LinkEvent::lost), ElementsAre(LinkEvent::lost)) << "without CAP_NET_BROADCAST";
    EXPECT_FALSE(monitor->state().present);
    EXPECT_THAT(events_until(*followed, LinkEvent::moved), ElementsAre(LinkEvent::moved))
        << "the capability was needed before alone";
    other.in([&] { move_link(kName, third.fd()); });
    EXPECT_THAT(events_until(*followed, LinkEvent::lost), ElementsAre(LinkEvent::lost)) << "to a third namespace";
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
