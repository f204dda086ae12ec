// Real TUN devices in fresh network namespaces, against the kernel's own IP stack.
#include "io/tun_device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/packet/checksum.h"
#include "tests/unit/io/heap_buffers.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/running_tun.h"

namespace fireline::io {
namespace {

bool wait_readable(int fd) {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 5000) == 1;
}

// An IPv4 packet of `protocol`; checksum of the IP header filled in.
std::vector<std::byte> ipv4_packet(std::uint8_t protocol, const char* source, const char* destination,
                                   const std::vector<std::byte>& payload) {
  std::vector<std::byte> packet(20 + payload.size());
  const Bytes bytes = packet;
  store_u8(bytes, 0, 0x45);
  store_be16(bytes, 2, static_cast<std::uint16_t>(packet.size()));
  store_u8(bytes, 8, 64);
  store_u8(bytes, 9, protocol);
  const IpAddress from = *IpAddress::parse(source);
  const IpAddress to = *IpAddress::parse(destination);
  std::memcpy(packet.data() + 12, from.bytes().data(), 4);
  std::memcpy(packet.data() + 16, to.bytes().data(), 4);
  store_be16(bytes, 10, packet::checksum_of(packet::sum(bytes.first(20))));
  std::copy(payload.begin(), payload.end(), packet.begin() + 20);
  return packet;
}

packet::TunWriteBatch batch_of(const std::vector<std::byte>& packet, std::size_t slices = 1) {
  packet::TunWriteBatch batch;
  const ConstBytes bytes(packet);
  const std::size_t step = (bytes.size() + slices - 1) / slices;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    batch.slices.push_back(bytes.subspan(at, std::min(step, bytes.size() - at)));
  }
  batch.packets.push_back({.first_slice = 0,
                           .slice_count = static_cast<std::uint16_t>(batch.slices.size()),
                           .offload = {},
                           .header_bytes = 0});
  return batch;
}

// The first IPv4 packet of `protocol` that the kernel sends into the device; empty after five seconds.
std::vector<std::byte> next_packet(TunDevice& tun, std::uint8_t protocol) {
  HeapBuffers pool;
  while (wait_readable(tun.poll_fd())) {
    packet::TunBatch batch;
    if (tun.read(batch, pool) == IoStatus::closed) break;
    for (const auto& packet : batch.packets) {
      if ((load_u8(packet.bytes, 0) >> 4U) == 4 && load_u8(packet.bytes, 9) == protocol) {
        return {packet.bytes.begin(), packet.bytes.end()};
      }
    }
  }
  return {};
}

TEST(TunDevice, IsCreatedAsAsked) {
  in_network_namespace([] {
    const auto tun = open_tun_device("fltest0", {.mtu = 1280, .queue_packets = 700});
    ASSERT_TRUE(tun);
    EXPECT_EQ(tun->name(), "fltest0");
    EXPECT_EQ(tun->mtu().value_or(0), 1280U);
    EXPECT_NE(tun->interface_index(), 0);
    EXPECT_TRUE(tun->capabilities().vnet_header);
    EXPECT_TRUE(tun->capabilities().checksum);
    EXPECT_TRUE(tun->capabilities().tso);
    EXPECT_EQ(tun->capabilities().uso, tun->capabilities().offload_errno == 0);
    EXPECT_TRUE(tun->coalescing_allowed());
    const FileDescriptor control(::socket(AF_INET, SOCK_DGRAM, 0));
    ifreq request = interface_request("fltest0");
    ASSERT_EQ(::ioctl(control.get(), SIOCGIFTXQLEN, &request), 0);
    EXPECT_EQ(request.ifr_qlen, 700);
    ASSERT_EQ(::ioctl(control.get(), SIOCGIFFLAGS, &request), 0);
    EXPECT_EQ(request.ifr_flags & IFF_UP, 0) << "who configures it brings it up";
  });
}

TEST(TunDevice, APatternGetsItsNumberFromTheKernel) {
  in_network_namespace([] {
    const auto first = open_tun_device("flx%d");
    const auto second = open_tun_device("flx%d");
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->name(), "flx0");
    EXPECT_EQ(second->name(), "flx1");
  });
}

TEST(TunDevice, ANameThatSomebodyHoldsIsOneClearSentence) {
  in_network_namespace([] {
    struct Row {
      const char* holder;
      short flags;
      const char* error;
    };
    for (const Row& row : std::vector<Row>{
             {"with our flags", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, "EBUSY"},
             {"single queue", IFF_TUN | IFF_NO_PI, "EBUSY"},
             {"multi-queue with vnet header", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE, "EINVAL"},
         }) {
      SCOPED_TRACE(row.holder);
      const FileDescriptor holder(::open("/dev/net/tun", O_RDWR));
      ifreq request = interface_request("fltest0");
      request.ifr_flags = row.flags;
      ASSERT_EQ(::ioctl(holder.get(), TUNSETIFF, &request), 0);
      const auto tun = TunDevice::open("fltest0");
      ASSERT_FALSE(tun.has_value());
      const std::string text = tun.error().to_string();
      EXPECT_NE(text.find("cannot create TUN device fltest0 (flags IFF_TUN|IFF_NO_PI|IFF_VNET_HDR): "), text.npos)
          << text;
      EXPECT_NE(text.find(row.error), text.npos) << text;
      EXPECT_NE(text.find("choose another name"), text.npos) << text;
    }
    const auto loopback = TunDevice::open("lo");
    ASSERT_FALSE(loopback.has_value());
    EXPECT_NE(loopback.error().to_string().find("is no TUN device"), std::string::npos);
  });
}

TEST(TunDevice, WithoutPrivilegesTheSentenceSaysWhatHelps) {
  in_network_namespace([] {
    // The raw call changes this thread alone; its capabilities go with the user.
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    const auto tun = TunDevice::open("fltest0");
    ASSERT_FALSE(tun.has_value());
    const std::string text = tun.error().to_string();
    EXPECT_NE(text.find("TUN device fltest0 (flags IFF_TUN|IFF_NO_PI|IFF_VNET_HDR): "), text.npos) << text;
    EXPECT_NE(text.find(": run as root"), text.npos) << text;
    EXPECT_NE(text.find("CAP_NET_ADMIN"), text.npos) << text;
  });
}

TEST(TunDevice, NamesAreChecked) {
  struct Row {
    const char* name;
    const char* says;  // part of the sentence; empty for a good name
  };
  for (const Row& row : std::vector<Row>{
           {"wg0", ""},
           {"tun-firezone", ""},
           {"fifteen-letters", ""},
           {"wg%d", ""},
           {"", "empty"},
           {"sixteen--letters", "15 bytes"},
           {"a/b", "/"},
           {"a:b", ":"},
           {"a b", "white space"},
           {"a\tb", "white space"},
           {"..", ".."},
           {"wg%s", "%d"},
           {"wg%d%d", "%d"},
       }) {
    SCOPED_TRACE(row.name);
    const std::string_view wrong = check_interface_name(row.name);
    if (*row.says == '\0') {
      EXPECT_EQ(wrong, "");
      continue;
    }
    EXPECT_NE(wrong.find(row.says), wrong.npos) << wrong;
    const auto tun = TunDevice::open(row.name);
    ASSERT_FALSE(tun.has_value());
    EXPECT_NE(tun.error().to_string().find(wrong), std::string::npos);
  }
  EXPECT_FALSE(TunDevice::open("wg0", {.mtu = 67}).has_value());
  EXPECT_FALSE(TunDevice::open("wg0", {.mtu = 70000}).has_value());
}

TEST(TunDevice, APingWrittenIsAnsweredByTheKernel) {
  for (const bool offloads : {true, false}) {
    for (const std::size_t slices : {std::size_t{1}, std::size_t{7}}) {
      SCOPED_TRACE(testing::Message() << "offloads " << offloads << ", slices " << slices);
      in_network_namespace([&] {
        const auto tun = running_tun("fltest0", "10.7.0.1", {.offloads = offloads});
        ASSERT_TRUE(tun);
        EXPECT_EQ(tun->coalescing_allowed(), offloads);
        std::vector<std::byte> echo(64, std::byte{0x5A});
        echo[0] = std::byte{8};  // echo request
        echo[1] = echo[2] = echo[3] = std::byte{0};
        store_be16(echo, 2, packet::checksum_of(packet::sum(echo)));
        const auto request = ipv4_packet(IPPROTO_ICMP, "10.7.0.2", "10.7.0.1", echo);
        const auto batch = batch_of(request, slices);
        TunCursor cursor;
        ASSERT_EQ(tun->write(batch, cursor), IoStatus::done);
        EXPECT_EQ(tun->write_counters().get(TunWriteCounter::packets), 1U);
        EXPECT_EQ(tun->write_counters().get(TunWriteCounter::bytes), request.size());

        const auto answer = next_packet(*tun, IPPROTO_ICMP);
        ASSERT_EQ(answer.size(), request.size());
        EXPECT_EQ(answer[20], std::byte{0}) << "echo reply";
        EXPECT_TRUE(std::equal(answer.begin() + 28, answer.end(), request.begin() + 28));
      });
    }
  }
}

// Of one flow, 1,200 bytes each, filled with their number.
void send_into_the_tun(std::uint8_t packets) {
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM, 0));
  for (std::uint8_t i = 0; i < packets; ++i) send_into_tun(socket.get(), std::vector<std::uint8_t>(1200, i));
}

TEST(TunDevice, SmallPacketsShareABuffer) {
  in_network_namespace([] {
    const auto tun = running_tun("fltest0", "10.7.0.1");
    ASSERT_TRUE(tun);
    send_into_the_tun(20);
    HeapBuffers pool;
    packet::TunBatch batch;
    EXPECT_EQ(tun->read(batch, pool), IoStatus::would_block);
    EXPECT_EQ(batch.buffers.size(), 1U);
    EXPECT_EQ(pool.out(), 1U);
    std::uint8_t next = 0;
    for (const auto& packet : batch.packets) {
      if (packet.bytes.size() != 1228) continue;  // the kernel's own neighbour messages
      EXPECT_EQ(load_u8(packet.bytes, 28), next++);
      EXPECT_EQ(load_u8(packet.bytes, 1227), next - 1);
    }
    EXPECT_EQ(next, 20) << "in order, none missing";
  });
}

TEST(TunDevice, AnEmptyPoolLeavesThePacketsInTheQueue) {
  in_network_namespace([] {
    const auto tun = running_tun("fltest0", "10.7.0.1");
    ASSERT_TRUE(tun);
    send_into_the_tun(1);
    HeapBuffers none(0);
    packet::TunBatch batch;
    EXPECT_EQ(tun->read(batch, none), IoStatus::done);
    EXPECT_TRUE(batch.empty());
    EXPECT_EQ(tun->read_counters().get(TunReadCounter::no_buffer), 1U);
  });
}

TEST(TunDevice, RefusedPacketsAreCountedAndTheRestIsWritten) {
  in_network_namespace([] {
    const auto tun = running_tun("fltest0", "10.7.0.1");
    ASSERT_TRUE(tun);
    const auto good = ipv4_packet(IPPROTO_UDP, "10.7.0.2", "10.7.0.1", std::vector<std::byte>(20));
    const std::vector<std::byte> no_ip(40);
    packet::TunWriteBatch batch;
    batch.slices = {ConstBytes(no_ip), ConstBytes(good)};
    batch.packets = {{.first_slice = 0, .slice_count = 1, .offload = {}, .header_bytes = 0},
                     {.first_slice = 1, .slice_count = 1, .offload = {}, .header_bytes = 0}};
    TunCursor cursor;
    EXPECT_EQ(tun->write(batch, cursor), IoStatus::done);
    EXPECT_EQ(tun->write_counters().get(TunWriteCounter::drop_invalid), 1U);
    EXPECT_EQ(tun->write_counters().get(TunWriteCounter::packets), 1U);

    set_interface_up("fltest0", false);
    cursor = {.packet = 1};
    EXPECT_EQ(tun->write(batch, cursor), IoStatus::done);
    EXPECT_EQ(tun->write_counters().get(TunWriteCounter::drop_down), 1U);
    set_interface_up("fltest0");
    cursor = {.packet = 1};
    EXPECT_EQ(tun->write(batch, cursor), IoStatus::done);
    EXPECT_EQ(tun->write_counters().get(TunWriteCounter::packets), 2U);
  });
}

TEST(TunDevice, ARefusedMergedPacketSwitchesCoalescingOff) {
  in_network_namespace([] {
    const auto tun = running_tun("fltest0", "10.7.0.1");
    ASSERT_TRUE(tun);
    const auto packet = ipv4_packet(IPPROTO_TCP, "10.7.0.2", "10.7.0.1", std::vector<std::byte>(20 + 3000));
    auto batch = batch_of(packet);
    // A checksum that would lie behind the packet's end is refused by every kernel.
    batch.packets[0].offload = {.segmentation = packet::Segmentation::tcp4,
                                .needs_checksum = true,
                                .segment_bytes = 1000,
                                .checksum_start = 4000,
                                .checksum_offset = 16};
    batch.packets[0].header_bytes = 40;
    TunCursor cursor;
    EXPECT_EQ(tun->write(batch, cursor), IoStatus::done);
    EXPECT_EQ(tun->write_counters().get(TunWriteCounter::drop_gso_refused), 3U);
    EXPECT_FALSE(tun->coalescing_allowed());
  });
}

TEST(TunDevice, RemovalOfTheInterfaceClosesIt) {
  in_network_namespace([] {
    const auto tun = running_tun("fltest0", "10.7.0.1");
    ASSERT_TRUE(tun);
    HeapBuffers pool;
    packet::TunBatch batch;
    EXPECT_EQ(tun->read(batch, pool), IoStatus::would_block);
    ASSERT_EQ(std::system("ip link delete fltest0"), 0);
    EXPECT_TRUE(wait_readable(tun->poll_fd())) << "a sleeping reader wakes";
    batch.clear();
    EXPECT_EQ(tun->read(batch, pool), IoStatus::closed);
    const auto good = ipv4_packet(IPPROTO_UDP, "10.7.0.2", "10.7.0.1", std::vector<std::byte>(20));
    TunCursor cursor;
    EXPECT_EQ(tun->write(batch_of(good), cursor), IoStatus::closed);
    EXPECT_EQ(tun->write_counters().get(TunWriteCounter::drop_down), 1u);
    EXPECT_FALSE(tun->mtu().has_value());
    EXPECT_FALSE(tun->kernel_drops().has_value());
  });
}

TEST(TunDevice, WhatTheKernelDropsOnTheWayToUsIsTold) {
  in_network_namespace([] {
    const auto tun = running_tun("fltest0", "10.7.0.1", {.queue_packets = 4});
    ASSERT_TRUE(tun);
    const auto before = tun->kernel_drops();
    ASSERT_TRUE(before.has_value()) << before.error().to_string();
    const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    ASSERT_EQ(::inet_pton(AF_INET, "10.7.0.9", &to.sin_addr), 1);
    constexpr std::uint64_t kSent = 50;
    for (std::uint64_t i = 0; i < kSent; ++i) {
      (void)::sendto(socket.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
    HeapBuffers pool;
    packet::TunBatch batch;
    (void)tun->read(batch, pool);
    std::uint64_t received = 0;
    for (const auto& packet : batch.packets) received += packet.bytes.size() == 29 ? 1U : 0U;
    const auto after = tun->kernel_drops();
    ASSERT_TRUE(after.has_value());
    // The kernel's own messages (router solicitations) may be among the dropped, too.
    EXPECT_GE(after->transmit - before->transmit, kSent - received);
    EXPECT_LT(received, kSent);
  });
}

}  // namespace
}  // namespace fireline::io
