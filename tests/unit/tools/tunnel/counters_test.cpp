// What a data path's sockets counted stays counted when others take their place.
#include "tools/tunnel/counters.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "io/udp_open.h"
#include "tests/unit/io/data_plane_parts.h"
#include "tests/unit/io/running_tun.h"

namespace fireline::tunnel {
namespace {

CounterMap counters_of(DataPath& path, const Devices& devices) {
  CounterMap counters;
  add_counters(path, devices, counters);
  return counters;
}

void expect_none_fell(const CounterMap& before, const CounterMap& after) {
  for (const auto& [name, value] : before) {
    const auto found = after.find(name);
    ASSERT_NE(found, after.end()) << name;
    EXPECT_GE(found->second, value) << name;
  }
}

TEST(TunnelCounters, NoneFallsWhenTheSocketsAreBoundAnewUnderTraffic) {
  io::in_network_namespace([] {
    const TunnelOptions options{.tun = "fl-counters"};
    auto devices = Devices::open(options);
    ASSERT_TRUE(devices.has_value()) << devices.error();
    (*devices)->aead = std::make_unique<io::FlipCipher>();
    io::set_interface_address(options.tun, "10.7.0.1");
    io::set_interface_up(options.tun);
    const io::TestSocket peer;
    io::PassOn engine(peer.endpoint());
    auto loop = io::EventLoop::make();
    ASSERT_TRUE(loop.has_value());
    DataPath path(
        options, **devices, engine, **loop,
        {.bound = [](PortPair) {}, .unreachable = [](std::span<const Endpoint>) {}, .failed = [](std::string) {}});
    const io::FileDescriptor sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    // Until one more is counted under this name.
    const auto send_until_counted = [&](const char* name) {
      const auto before = counters_of(path, **devices)[name];
      const auto end = loop.value()->now().boot + std::chrono::seconds(10);
      while (counters_of(path, **devices)[name] == before) {
        ASSERT_LT(loop.value()->now().boot, end) << "not counted: " << name;
        ASSERT_NO_FATAL_FAILURE(io::send_into_tun(sender.get(), {1, 2, 3}));
        std::this_thread::yield();
      }
    };
    path.start();
    ASSERT_NO_FATAL_FAILURE(send_until_counted("udp.send.drop.no_socket"));
    CounterMap before = counters_of(path, **devices);
    for (int round = 0; round < 5; ++round) {
      ASSERT_EQ(path.bind(), "");
      ASSERT_NO_FATAL_FAILURE(send_until_counted("udp.send.datagrams"));
      CounterMap after = counters_of(path, **devices);
      expect_none_fell(before, after);
      before = std::move(after);
    }
    path.plane().set_ports(nullptr, nullptr);
    EXPECT_TRUE(counters_of(path, **devices).contains("udp.receive.loud_senders")) << "the reader is still there";
  });
}

// Nobody reads, so that no datagram tells the counter of the drops.
TEST(TunnelCounters, ASocketsKernelDropsAreToldAsTheyAreNow) {
  const auto here = *IpAddress::parse("127.0.0.1");
  const auto to = io::open_udp({.family = Family::v4, .address = here, .receive_buffer_bytes = 65536});
  const auto from = io::open_udp({.family = Family::v4});
  ASSERT_TRUE(to && from);
  std::vector<std::byte> bytes(1000);
  packet::UdpSendBatch batch;
  batch.trains.resize(1000);
  for (packet::UdpTrain& train : batch.trains) {
    train.bytes = bytes;
    train.segment_bytes = 1000;
    train.destination = {here, (*to)->port(), 0};
  }
  io::SendCursor cursor;
  while ((*from)->send(batch, cursor, Instant(std::chrono::hours(1))) == io::IoStatus::would_block) {
  }
  CounterMap counters;
  add_counters(**to, counters);
  EXPECT_GT(counters["udp.receive.kernel_drops"], 100u);
  EXPECT_EQ(counters["udp.receive.kernel_drops"], (*to)->status().kernel_drops);
}

}  // namespace
}  // namespace fireline::tunnel
