// Options of UDP sockets that both backends bind with bind_udp().
#include "io/udp_bind.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

class UdpBindOn : public OnEachUdpBackend {};
FIRELINE_ON_EACH_UDP_BACKEND(UdpBindOn);

TEST_P(UdpBindOn, AMarkThatIsRefusedIsAnErrorAndNoSocket) {
  in_network_namespace([io = GetParam()] {
    // The raw call changes this thread alone; its capabilities go with the user.
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    const auto marked = open_udp({.family = Family::v4, .fwmark = 0xfd002021, .io = io});
    ASSERT_FALSE(marked.has_value());
    EXPECT_EQ(marked.error().code, EPERM);
    EXPECT_TRUE(open_udp({.family = Family::v4, .io = io}).has_value()) << "it is the mark";
  });
}

TEST_P(UdpBindOn, PrefersALastingSourceAddressWhereItIsAsked) {
  in_network_namespace([io = GetParam()] {
    for (const bool asked : {false, true}) {
      const auto socket = open_port(io, {.family = Family::v6, .lasting_source = asked});
      ASSERT_TRUE(socket);
      int preferences = 0;
      socklen_t length = sizeof preferences;
      EXPECT_EQ(::getsockopt(socket->send_fd(), IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &preferences, &length), 0);
      constexpr int kPublic = 2;  // RFC 5014
      EXPECT_EQ((preferences & kPublic) != 0, asked);
    }
  });
}

int path_mtu_option(int fd) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &length), 0);
  return value;
}

TEST_P(UdpBindOn, TheKernelFragmentsFromTheFirstDatagramThatIsTooLarge) {
  in_network_namespace([io = GetParam()] {
    set_interface_mtu("lo", 600);
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = Family::v4});
    const auto receiver = open_port(io, {.family = Family::v4});
    ASSERT_TRUE(sender && receiver);

    // A train whose first ones fit, then what does not, then what fits: in order, each once, none lost.
    auto fitting = numbered(3 * 500), large = numbered(2 * 1000 + 50), last = numbered(20);
    packet::UdpSendBatch out;
    const Endpoint to = loopback(Family::v4, receiver->port());
    out.trains.push_back(train_of(fitting, 500, to));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(path_mtu_option(sender->send_fd()), IP_PMTUDISC_DO) << "nothing was too large yet";
    out.trains.push_back(train_of(large, 1000, to));
    out.trains.push_back(train_of(last, 20, to));
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(path_mtu_option(sender->send_fd()), IP_PMTUDISC_WANT);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::drop_too_big), 0U);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::datagrams), 7U);

    std::vector<std::size_t> lengths;
    while (lengths.size() < 7) {
      packet::UdpBatch in;
      ASSERT_EQ(receive_next(*receiver, in, pool), IoStatus::would_block);
      for (const packet::ReceivedDatagrams& train : in.datagrams) {
        for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
          lengths.push_back(std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
        }
      }
    }
    EXPECT_EQ(lengths, (std::vector<std::size_t>{500, 500, 500, 1000, 1000, 50, 20}));
  });
}

TEST_P(UdpBindOn, AHostWithoutPathMtuDiscoveryKeepsItsOwnWay) {
  in_network_namespace([io = GetParam()] {
    // Of the namespace of the thread that opens it.
    std::ofstream("/proc/sys/net/ipv4/ip_no_pmtu_disc") << "1" << std::flush;
    const auto socket = open_port(io, {.family = Family::v4});
    ASSERT_TRUE(socket);
    EXPECT_EQ(path_mtu_option(socket->send_fd()), IP_PMTUDISC_DONT);
    EXPECT_FALSE(allow_fragments(socket->send_fd())) << "they always were";
  });
}

// The kernel counts in 32 bits.
TEST(UdpBind, DropsAreASumThatDoesNotWrap) {
  in_network_namespace([] {
    const auto bound = bind_udp({.family = Family::v4, .receive_buffer_bytes = 1, .io = UdpIo::syscall});
    ASSERT_TRUE(bound.has_value());
    const auto sender = open_port(UdpIo::syscall, {.family = Family::v4});
    ASSERT_TRUE(sender);
    EXPECT_EQ(socket_drops(bound->fd.get(), 0), 0U);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(bound->port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::vector<std::byte> datagram(1000);
    for (int i = 0; i < 10'000 && socket_drops(bound->fd.get()) < 2; ++i) {
      ASSERT_EQ(
          ::sendto(sender->send_fd(), datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
          1000);
    }
    const std::uint32_t drops = socket_drops(bound->fd.get());
    ASSERT_EQ(drops, 2U);
    constexpr std::uint64_t kWrap = std::uint64_t{1} << 32;
    EXPECT_EQ(socket_drops(bound->fd.get(), 0), 2U);
    EXPECT_EQ(socket_drops(bound->fd.get(), 2), 2U);
    EXPECT_EQ(socket_drops(bound->fd.get(), 7 * kWrap + 1), 7 * kWrap + 2);
    EXPECT_EQ(socket_drops(bound->fd.get(), 7 * kWrap - 3), 7 * kWrap + 2) << "across the wrap";
  });
}

}  // namespace
}  // namespace fireline::io
