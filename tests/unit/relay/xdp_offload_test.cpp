// The program on a real interface: a frame crosses a veth pair, is rewritten and comes back; nothing stays attached.
//
//   far0 (pass program, raw socket)  <-- veth -->  up0 10.0.0.5/24, fd00::5/64 (the relay's program)
#include "relay/xdp_offload.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "io/file_descriptor.h"
#include "relay/xdp_interface.h"
#include "relay/xdp_model.h"
#include "tests/unit/io/few_descriptors.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/relay/xdp_runner.h"
#include "tools/bench/udp_frame.h"

namespace fireline::relay {
namespace {

using bench::build;

constexpr int kArrivalMs = 5'000;  // how long a frame that must arrive may take on a busy machine

void ip(const std::string& arguments) {
  ASSERT_EQ(std::system(("ip " + arguments).c_str()), 0) << "ip " << arguments;
}

void make_pair() {
  ip("link add up0 type veth peer name far0");
  ip("addr add 10.0.0.5/24 dev up0");
  ip("addr add fd00::5/64 dev up0 nodad");
  ip("link set up0 up");
  ip("link set far0 up");
}

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

XdpOptions make_options() {
  XdpOptions options;
  options.interface = "up0";
  options.check_routes = false;
  options.settings.binding_entries = 16;
  return options;
}

ChannelBinding make_binding(const char* client, const char* peer) {
  ChannelBinding binding;
  binding.client = {address(client), 51820};
  binding.channel = 0x4001;
  binding.peer = {address(peer), 52625};
  binding.port = 50000;
  binding.expires = boot_now() + std::chrono::hours(1);
  return binding;
}

std::vector<std::byte> from_client(const ChannelBinding& binding) {
  const auto own = binding.client.address.is_v4() ? address("10.0.0.5") : address("fd00::5");
  return build({.source = binding.client,
                .target = {own, 3478},
                .channel = binding.channel,
                .payload = std::vector<std::byte>(100, std::byte{0x5A})});
}

// A raw socket on one interface that sees what arrives there, not what leaves.
class RawSocket {
 public:
  explicit RawSocket(const char* interface) : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll place{};
    place.sll_family = AF_PACKET;
    place.sll_protocol = htons(ETH_P_ALL);
    place.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&place), sizeof(place)), 0) << std::strerror(errno);
    const int on = 1;
    EXPECT_EQ(::setsockopt(fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
  }
  void send(ConstBytes frame) const {
    ASSERT_EQ(::send(fd_.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()))
        << std::strerror(errno);
  }
  // The next frame that is UDP from one of the relay's addresses; whatever else arrives (neighbour discovery) is not
  // ours.
  [[nodiscard]] std::vector<std::byte> receive_udp() const {
    std::array<std::byte, 2048> bytes{};
    while (true) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, kArrivalMs) != 1) return {};
      const auto count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
      if (count < 60) continue;
      const auto frame = ConstBytes(bytes).first(static_cast<std::size_t>(count));
      const bool v4 = load_be16(frame, 12) == 0x0800;
      if ((v4 || load_be16(frame, 12) == 0x86DD) && load_u8(frame, v4 ? 23 : 20) == 17) {
        return {frame.begin(), frame.end()};
      }
    }
  }

 private:
  io::FileDescriptor fd_;
};

std::uint32_t attached_id(const char* interface) {
  std::uint32_t id = 0;
  EXPECT_EQ(bpf_xdp_query_id(static_cast<int>(::if_nametoindex(interface)), 0, &id), 0);
  return id;
}

#define FIRELINE_OPEN_OR_SKIP(offload, options)                                        \
  auto offload = XdpOffload::open(options);                                            \
  if (!offload && (offload.error().code == EPERM || offload.error().code == ENOSYS)) { \
    GTEST_SKIP() << offload.error().sentence;                                          \
  }                                                                                    \
  ASSERT_TRUE(offload.has_value()) << offload.error().sentence

void frames_cross(XdpMode mode) {
  make_pair();
  ASSERT_TRUE(attach_pass("far0").has_value());
  auto options = make_options();
  options.mode = mode;
  FIRELINE_OPEN_OR_SKIP(offload, options);
  EXPECT_NE(attached_id("up0"), 0u);
  EXPECT_TRUE(offload->warnings().empty()) << offload->warnings().front();
  XdpModel model(offload->settings());
  const RawSocket socket("far0");
  for (const auto& binding :
       {make_binding("198.51.100.7", "192.0.2.33"), make_binding("198.51.100.7", "2001:db8:f::33"),
        make_binding("2001:db8:c::9", "192.0.2.33"), make_binding("2001:db8:c::9", "2001:db8:f::33")}) {
    ASSERT_EQ(offload->add(binding).what, XdpAdded::What::offloaded);
    model.insert(binding, XdpProgram::Forwarder::program);
    offload->port_opened(binding.port);
    const auto frame = from_client(binding);
    socket.send(frame);
    EXPECT_EQ(socket.receive_udp(), model.run(frame, boot_now()).frame) << binding.peer.to_string();
    offload->remove(binding);
    model.erase(binding);
  }
  const auto counts = offload->counters();
  EXPECT_EQ(counts.outcomes.at(xdp_channel4_to_udp4).frames, 1u);
  EXPECT_EQ(counts.outcomes.at(xdp_channel4_to_udp4).bytes, 100u);
  EXPECT_EQ(counts.outcomes.at(xdp_channel6_to_udp4).frames, 1u);
  {
    const auto gone = std::move(*offload);
  }
  EXPECT_EQ(attached_id("up0"), 0u) << "dropped: detached";
}

TEST(XdpOffload, FramesCrossInDriverMode) {
  io::in_network_namespace([] { frames_cross(XdpMode::driver); });
}

TEST(XdpOffload, FramesCrossInGenericMode) {
  io::in_network_namespace([] { frames_cross(XdpMode::generic); });
}

TEST(XdpOffload, TellsWhatTheOperatorMustKnow) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_pair());
    ip("addr flush dev up0");
    FIRELINE_OPEN_OR_SKIP(offload, make_options());
    ASSERT_EQ(offload->warnings().size(), 3u);
    EXPECT_EQ(offload->warnings().at(0), "up0 has no IPv4 address: channels between IPv4 and IPv6 stay in user space");
    EXPECT_EQ(offload->warnings().at(2),
              "the far end of the veth up0 has no XDP program: relayed frames are lost until it has one: run "
              "fireline-xdp-pass attach INTERFACE there");
    const auto added = offload->add(make_binding("198.51.100.7", "2001:db8:f::33"));
    EXPECT_EQ(added.what, XdpAdded::What::user_space);
    EXPECT_EQ(added.reason, HopReason::no_interface_address);
    EXPECT_EQ(offload->not_offloaded().at(static_cast<std::size_t>(HopReason::no_interface_address)), 1u);
  });
}

TEST(XdpOffload, RefusesInASentence) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_pair());
    auto options = make_options();
    FIRELINE_OPEN_OR_SKIP(first, options);
    const auto second = XdpOffload::open(options);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(
        second.error().sentence,
        "cannot attach the XDP program to up0: Device or resource busy: it has an XDP program already: end the program "
        "that attached it, or bpftool link detach id N (N: xdp prog P in bpftool link list, where bpftool net list dev "
        "up0 shows id P); ip link set dev up0 xdp off if it has no link");
    const auto held = detach_pass("up0");
    ASSERT_FALSE(held.has_value());
    EXPECT_EQ(
        held.error(),
        "cannot detach the XDP program of up0: Device or resource busy: a link holds it: end the program that "
        "attached it, or bpftool link detach id N (N: xdp prog P in bpftool link list, where bpftool net list dev "
        "up0 shows id P)");
    options.interface = "none0";
    const auto nowhere = XdpOffload::open(options);
    ASSERT_FALSE(nowhere.has_value());
    EXPECT_EQ(nowhere.error().sentence, "XDP was asked for on none0, which is no interface");
    ASSERT_TRUE(attach_pass("far0").has_value());
    EXPECT_EQ(attach_pass("far0").error(), "far0 has an XDP program already");
    ASSERT_TRUE(detach_pass("far0").has_value());
    EXPECT_EQ(attached_id("far0"), 0u);
  });
}

// A route decides: the same bindings with the check on.
TEST(XdpOffload, AnAddressThatCannotBeAskedForIsNotNone) {
  const auto asked = first_address("lo", Family::v4);
  ASSERT_TRUE(asked) << asked.error().sentence;
  const io::FewDescriptors none(0);
  const auto refused = first_address("lo", Family::v4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EMFILE);
}

TEST(XdpOffload, NeighboursStayInUserSpace) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_pair());
    ip("route add default via 10.0.0.1");
    auto options = make_options();
    options.check_routes = true;
    FIRELINE_OPEN_OR_SKIP(offload, options);
    EXPECT_EQ(offload->add(make_binding("198.51.100.7", "192.0.2.33")).what, XdpAdded::What::offloaded);
    const auto neighbour = offload->add(make_binding("10.0.0.77", "192.0.2.33"));
    EXPECT_EQ(neighbour.what, XdpAdded::What::user_space);
    EXPECT_EQ(neighbour.reason, HopReason::client_on_link);
  });
}

TEST(XdpOffload, AChannelWhoseClientPadsGoesOverToUserSpace) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_pair());
    FIRELINE_OPEN_OR_SKIP(offload, make_options());
    auto binding = make_binding("198.51.100.7", "192.0.2.33");
    ASSERT_EQ(offload->add(binding).what, XdpAdded::What::offloaded);
    binding.padded = true;
    const auto added = offload->add(binding);
    EXPECT_EQ(added.what, XdpAdded::What::user_space);
    EXPECT_EQ(added.reason, HopReason::client_pads);
    offload->port_opened(binding.port);
    offload->prolong(binding);
    ASSERT_TRUE(attach_pass("far0").has_value());
    const RawSocket socket("far0");
    socket.send(from_client(binding));
    // Another client's arrives behind it.
    const auto other = make_binding("198.51.100.8", "192.0.2.33");
    ASSERT_EQ(offload->add(other).what, XdpAdded::What::offloaded);
    socket.send(from_client(other));
    ASSERT_FALSE(socket.receive_udp().empty());
    EXPECT_EQ(offload->counters().outcomes.at(xdp_pass_user_space).frames, 1u);
    EXPECT_EQ(offload->counters().outcomes.at(xdp_channel4_to_udp4).frames, 1u);
  });
}

// Two clients of this relay, each the other's peer: frames go from one's router to the other client.
TEST(XdpOffload, ClientsOfOneRelayBehindDifferentRoutersStayInUserSpace) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_pair());
    ip("neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 nud permanent dev up0");
    ip("neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 nud permanent dev up0");
    ip("route add default via 10.0.0.1");
    ip("route add 203.0.113.0/24 via 10.0.0.2");
    auto options = make_options();
    options.check_routes = true;
    options.settings.public4 = address("192.0.2.1");
    FIRELINE_OPEN_OR_SKIP(offload, options);
    const auto between = [](const char* client, std::uint16_t port, std::uint16_t peer_port) {
      auto binding = make_binding(client, "192.0.2.1");
      binding.port = port;
      binding.peer.port = peer_port;
      return binding;
    };
    const auto first = between("198.51.100.7", 50000, 50001);
    const auto second = between("203.0.113.9", 50001, 50000);
    EXPECT_EQ(offload->add(first).what, XdpAdded::What::offloaded)
        << "nobody has the peer's port: nothing is forwarded";
    const auto added = offload->add(second);
    EXPECT_EQ(added.what, XdpAdded::What::user_space);
    EXPECT_EQ(added.reason, HopReason::different_routers);
    EXPECT_EQ(offload->add(first).reason, HopReason::different_routers) << "when it is refreshed";

    offload->remove(second);
    offload->port_closed(second.port);
    const auto third = between("198.51.100.8", 50001, 50000);
    EXPECT_EQ(offload->add(third).what, XdpAdded::What::offloaded) << "the port is another client's";
    EXPECT_EQ(offload->add(first).what, XdpAdded::What::offloaded);
  });
}

// A process with the program attached, killed without a chance to clean up.
class Victim {
 public:
  explicit Victim(const ChannelBinding& binding) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    child_ = ::fork();
    if (child_ == 0) {
      auto offload = XdpOffload::open(make_options());
      const bool ready = offload && offload->add(binding).what == XdpAdded::What::offloaded;
      if (ready) offload->port_opened(binding.port);
      const char said = ready ? 'y' : 'n';
      static_cast<void>(!::write(ends[1], &said, 1));
      while (true) ::pause();
    }
    ::close(ends[1]);
    char said = 'n';
    EXPECT_EQ(::read(ends[0], &said, 1), 1);
    EXPECT_EQ(said, 'y');
    ::close(ends[0]);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  ~Victim() { kill(); }
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    EXPECT_EQ(::waitpid(child_, nullptr, 0), child_);
    child_ = -1;
  }

 private:
  pid_t child_ = -1;
};

TEST(XdpOffload, NothingStaysAfterKill) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_pair());
    {
      FIRELINE_OPEN_OR_SKIP(probe, make_options());
    }
    Victim victim(make_binding("198.51.100.7", "192.0.2.33"));
    EXPECT_NE(attached_id("up0"), 0u);
    victim.kill();
    EXPECT_EQ(attached_id("up0"), 0u);
  });
}

// Somebody holds the link, as a pin would: the program stays attached, and forwards for as long as was granted.
TEST(XdpOffload, NothingIsForwardedAfterTheExpiryThoughTheLinkIsHeld) {
  io::in_network_namespace([] {
    ASSERT_NO_FATAL_FAILURE(make_pair());
    ASSERT_TRUE(attach_pass("far0").has_value());
    {
      FIRELINE_OPEN_OR_SKIP(probe, make_options());
    }
    auto binding = make_binding("198.51.100.7", "192.0.2.33");
    binding.expires = boot_now() + std::chrono::seconds(8);  // a busy machine takes one or two to attach and look
    Victim victim(binding);
    const auto program = io::FileDescriptor(bpf_prog_get_fd_by_id(attached_id("up0")));
    std::uint32_t id = 0;
    io::FileDescriptor held;
    while (bpf_link_get_next_id(id, &id) == 0) {
      io::FileDescriptor link(bpf_link_get_fd_by_id(id));
      bpf_link_info info{};
      std::uint32_t bytes = sizeof(info);
      if (bpf_obj_get_info_by_fd(link.get(), &info, &bytes) == 0 && info.type == BPF_LINK_TYPE_XDP &&
          info.prog_id == attached_id("up0")) {
        held = std::move(link);
      }
    }
    ASSERT_TRUE(static_cast<bool>(held));
    victim.kill();
    EXPECT_NE(attached_id("up0"), 0u);

    const RawSocket socket("far0");
    const auto frame = from_client(binding);
    socket.send(frame);
    EXPECT_FALSE(socket.receive_udp().empty()) << "still granted";

    // The end of the grant is an instant of the clock; the kernel tells when it has come.
    const io::FileDescriptor timer(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC));
    // The program looks at the clock once per tick, which no kernel has longer than 10 ms.
    const auto ends = (binding.expires + std::chrono::milliseconds(20)).time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(ends);
    itimerspec when{};
    when.it_value.tv_sec = seconds.count();
    when.it_value.tv_nsec = (ends - seconds).count();
    ASSERT_EQ(::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &when, nullptr), 0);
    std::uint64_t expirations = 0;
    ASSERT_EQ(::read(timer.get(), &expirations, sizeof(expirations)), static_cast<ssize_t>(sizeof(expirations)));
    const auto ran = run_frame(program.get(), frame);
    EXPECT_EQ(ran.verdict, XDP_DROP);
  });
}

}  // namespace
}  // namespace fireline::relay
