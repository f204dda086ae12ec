// Super-packets through two TUN devices, each in a namespace of its own:
//
//   namespace 1                                             namespace 2
//   TCP or UDP sender -> flleft 10.7.0.1 -> (test) -> flright 10.7.0.2 -> receiver
//
// What the kernel of one side hands out unsegmented must be taken by the other, and the bytes must be the sender's.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "io/tun_device.h"
#include "tests/unit/io/heap_buffers.h"
#include "tests/unit/io/network_namespace.h"

namespace fireline::io {
namespace {

using packet::Segmentation;

sockaddr_in address_of(const char* text, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET, text, &in.sin_addr), 1);
  return in;
}

sockaddr* generic(sockaddr_in& in) {
  return reinterpret_cast<sockaddr*>(&in);
}

struct Side {
  std::unique_ptr<TunDevice> tun;
  FileDescriptor socket;
  HeapBuffers pool;
};

// Moves what waits in `from` to `to`, and notes what kinds of packets there were.
struct Shuttle {
  std::size_t largest_tcp = 0;
  std::size_t largest_udp = 0;
  std::size_t unfinished_checksums = 0;

  void run(Side& from, Side& to) {
    packet::TunBatch in;
    ASSERT_NE(from.tun->read(in, from.pool), IoStatus::closed);
    packet::TunWriteBatch out;
    for (const packet::TunPacket& packet : in.packets) {
      if ((load_u8(packet.bytes, 0) >> 4U) != 4) continue;
      if (packet.offload.segmentation == Segmentation::tcp4) largest_tcp = std::max(largest_tcp, packet.bytes.size());
      if (packet.offload.segmentation == Segmentation::udp) largest_udp = std::max(largest_udp, packet.bytes.size());
      if (packet.offload.needs_checksum) ++unfinished_checksums;
      out.packets.push_back({.first_slice = static_cast<std::uint32_t>(out.slices.size()),
                             .slice_count = 2,
                             .offload = packet.offload,
                             .header_bytes = header_bytes(packet)});
      // In two slices, so that gathering is part of it.
      out.slices.emplace_back(packet.bytes.first(20));
      out.slices.emplace_back(packet.bytes.subspan(20));
    }
    TunCursor cursor;
    ASSERT_EQ(to.tun->write(out, cursor), IoStatus::done);
  }

  static std::uint16_t header_bytes(const packet::TunPacket& packet) {
    switch (packet.offload.segmentation) {
      case Segmentation::none:
        return 0;
      case Segmentation::udp:
        return 28;
      default:
        return static_cast<std::uint16_t>(20 + 4 * (load_u8(packet.bytes, 32) >> 4U));
    }
  }
};

void open_side(Side& side, const char* name, const char* address, int type) {
  auto tun = TunDevice::open(name);
  ASSERT_TRUE(tun.has_value()) << tun.error().to_string();
  side.tun = std::move(*tun);
  set_interface_address(name, address);
  set_interface_up(name);
  side.socket = FileDescriptor(::socket(AF_INET, type | SOCK_NONBLOCK, 0));
}

// Both sides, each opened in its own namespace; descriptors work from everywhere afterwards.
void open_sides(Side& left, Side& right, int type) {
  in_network_namespace([&] { open_side(left, "flleft", "10.7.0.1", type); });
  if (!left.tun) return;
  in_network_namespace([&] {
    open_side(right, "flright", "10.7.0.2", type);
    sockaddr_in in = address_of("10.7.0.2", 7000);
    ASSERT_EQ(::bind(right.socket.get(), generic(in), sizeof in), 0) << std::strerror(errno);
  });
}

void wait_any(const std::vector<int>& fds) {
  std::vector<pollfd> polls;
  for (const int fd : fds) polls.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  ASSERT_GT(::poll(polls.data(), polls.size(), 5000), 0) << "nothing moves any more";
}

TEST(TunOffload, TcpCrossesAsSuperPackets) {
  Side left;
  Side right;
  open_sides(left, right, SOCK_STREAM);
  if (!left.tun || !right.tun) GTEST_SKIP() << "no namespaces or no TUN";
  ASSERT_EQ(::listen(right.socket.get(), 1), 0);
  sockaddr_in to = address_of("10.7.0.2", 7000);
  ASSERT_EQ(::connect(left.socket.get(), generic(to), sizeof to), -1);
  ASSERT_EQ(errno, EINPROGRESS);

  constexpr std::size_t kTotal = std::size_t{8} << 20;
  std::vector<std::uint8_t> content(kTotal);
  for (std::size_t i = 0; i < kTotal; ++i) content[i] = static_cast<std::uint8_t>(i * 31 + (i >> 12));
  std::vector<std::uint8_t> got;
  std::array<std::uint8_t, 65536> chunk;
  std::size_t sent = 0;
  FileDescriptor accepted;
  Shuttle forward;
  Shuttle back;
  while (got.size() < kTotal) {
    if (sent < kTotal) {
      const ssize_t result = ::send(left.socket.get(), content.data() + sent, kTotal - sent, MSG_NOSIGNAL);
      if (result > 0) sent += static_cast<std::size_t>(result);
    }
    forward.run(left, right);
    back.run(right, left);
    if (!accepted) accepted = FileDescriptor(::accept4(right.socket.get(), nullptr, nullptr, SOCK_NONBLOCK));
    if (accepted) {
      for (ssize_t result; (result = ::recv(accepted.get(), chunk.data(), chunk.size(), 0)) > 0;) {
        got.insert(got.end(), chunk.begin(), chunk.begin() + result);
      }
    }
    if (got.size() < kTotal) wait_any({left.tun->poll_fd(), right.tun->poll_fd()});
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(got, content);
  EXPECT_GT(forward.largest_tcp, 20000U) << "TSO";
  EXPECT_GT(forward.unfinished_checksums, 0U);
  EXPECT_EQ(right.tun->write_counters().get(TunWriteCounter::drop_gso_refused), 0U);
  EXPECT_TRUE(right.tun->coalescing_allowed());
  const auto& read = left.tun->read_counters();
  const auto& written = right.tun->write_counters();
  EXPECT_GT(read.get(TunReadCounter::segments), 5 * read.get(TunReadCounter::packets));
  EXPECT_GT(written.get(TunWriteCounter::segments), 5 * written.get(TunWriteCounter::packets));
  // At an MTU of 1420 and a maximum segment of 1368 or more, 8 MiB are this many segments and few more.
  EXPECT_GT(read.get(TunReadCounter::segments), kTotal / 1380);
  EXPECT_LT(read.get(TunReadCounter::segments), kTotal / 1368 + 200);
}

TEST(TunOffload, UdpTrainsCrossAsSuperPacketsWhereTheKernelHasThem) {
  Side left;
  Side right;
  open_sides(left, right, SOCK_DGRAM);
  if (!left.tun || !right.tun) GTEST_SKIP() << "no namespaces or no TUN";
  constexpr int kSegment = 1300;
  constexpr std::size_t kSegments = 40;
  ASSERT_EQ(::setsockopt(left.socket.get(), IPPROTO_UDP, UDP_SEGMENT, &kSegment, sizeof kSegment), 0);
  std::vector<std::uint8_t> content(kSegment * kSegments - 300);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i * 13 + i / 1300);
  sockaddr_in to = address_of("10.7.0.2", 7000);
  ASSERT_EQ(::sendto(left.socket.get(), content.data(), content.size(), 0, generic(to), sizeof to),
            static_cast<ssize_t>(content.size()));
  Shuttle forward;
  std::vector<std::uint8_t> got;
  std::array<std::uint8_t, 65536> chunk;
  std::size_t datagrams = 0;
  while (datagrams < kSegments) {
    wait_any({left.tun->poll_fd(), right.socket.get()});
    forward.run(left, right);
    for (ssize_t result; (result = ::recv(right.socket.get(), chunk.data(), chunk.size(), 0)) > 0; ++datagrams) {
      got.insert(got.end(), chunk.begin(), chunk.begin() + result);
    }
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(got, content);
  EXPECT_EQ(forward.largest_udp, left.tun->capabilities().uso ? content.size() + 28 : 0U);
  EXPECT_EQ(
      left.tun->read_counters().get(TunReadCounter::segments) - left.tun->read_counters().get(TunReadCounter::packets),
      left.tun->capabilities().uso ? kSegments - 1 : 0U);
}

}  // namespace
}  // namespace fireline::io
