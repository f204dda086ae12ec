// The two queues of a port, on real sockets of a fresh namespace: whose datagrams the kernel puts where, and that a
// full loud queue costs the other one nothing.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "core/packet/fair_share.h"
#include "io/loud_filter.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

using packet::Sender;

using Content = std::vector<std::uint8_t>;

// Sends singly, so that each datagram is one for the kernel's count.
void send(UdpPort& from, std::uint16_t port, std::size_t bytes, const Content& begin) {
  std::vector<std::byte> memory(bytes);
  for (std::size_t i = 0; i < begin.size(); ++i) memory[i] = std::byte{begin[i]};
  packet::UdpSendBatch out;
  out.trains.push_back(train_of(memory, bytes, loopback(from.family(), port)));
  SendCursor cursor;
  ASSERT_EQ(from.send(out, cursor, kNow), IoStatus::done);
}

std::uint64_t drain_loud(UdpPort& port, HeapBuffers& pool) {
  std::uint64_t count = 0;
  for (IoStatus status = IoStatus::done; status == IoStatus::done;) {
    packet::UdpBatch batch;
    status = port.receive_loud(batch, pool);
    for (const auto& each : batch.datagrams) count += each.count();
  }
  return count;
}

// Until `count` have come.
std::uint64_t take_first(UdpPort& port, HeapBuffers& pool, std::uint64_t count) {
  std::uint64_t taken = 0;
  while (taken < count && !testing::Test::HasFailure()) {
    packet::UdpBatch batch;
    (void)receive_next(port, batch, pool);
    for (const auto& each : batch.datagrams) taken += each.count();
  }
  return taken;
}

class LoudQueue : public OnEachFamilyAndUdpBackend {};
FIRELINE_ON_EACH_FAMILY_AND_UDP_BACKEND(LoudQueue);

struct Row {
  const char* rule;
  Content begin;
  bool from_other_port;
  bool loud;
};

TEST_P(LoudQueue, HoldsTheNamedSendersTransportDataAndNothingElse) {
  const Row rows[] = {
      {"transport data", {4, 0, 0, 0}, false, true},
      {"transport data from another port of that host", {4, 0, 0, 0}, true, false},
      {"a handshake", {1, 0, 0, 0}, false, false},
      {"STUN", {0, 1, 0, 0}, false, false},
      {"transport data over the named channel", {0x40, 0x07, 0x04, 0x00, 4}, false, true},
      {"over another channel", {0x40, 0x08, 0x04, 0x00, 4}, false, false},
      {"a handshake over the named channel", {0x40, 0x07, 0x04, 0x00, 1}, false, false},
      {"no channel's number", {0x50, 0x07, 0x04, 0x00, 4}, false, false},
  };
  in_network_namespace([&rows, family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    const auto port = open_port(io, {.family = family, .loud_queue = true});
    const auto sender = open_port(io, {.family = family});
    const auto other = open_port(io, {.family = family});
    ASSERT_TRUE(port && sender && other);
    ASSERT_TRUE(port->status().loud_queue);
    ASSERT_GE(port->loud_poll_fd(), 0);
    const Endpoint source = loopback(family, sender->port());
    // Others around it: each is compared with all.
    std::vector<Sender> loud(packet::FairShare::kLoudMax, Sender{loopback(family, 9), 0});
    loud.front() = {source, 0};
    loud.back() = {source, 0x4007};
    ASSERT_TRUE(port->set_loud(loud));
    for (const Row& row : rows) {
      SCOPED_TRACE(row.rule);
      send(row.from_other_port ? *other : *sender, port->port(), 100, row.begin);
      if (row.loud) {
        pollfd poll{.fd = port->loud_poll_fd(), .events = POLLIN, .revents = 0};
        EXPECT_EQ(::poll(&poll, 1, 10'000), 1);
        EXPECT_EQ(drain_loud(*port, pool), 1U);
      } else {
        EXPECT_EQ(take_first(*port, pool, 1), 1U);
        EXPECT_EQ(drain_loud(*port, pool), 0U);
      }
    }
    EXPECT_EQ(port->receive_counters().get(UdpReceiveCounter::datagrams), std::size(rows));
    ASSERT_TRUE(port->set_loud({}));
    send(*sender, port->port(), 100, {4});
    EXPECT_EQ(take_first(*port, pool, 1), 1U) << "nobody is loud any more";
  });
}

TEST_P(LoudQueue, FullItCostsTheOthersNothing) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    // Of 256 KiB a thousand datagrams of 1,200 bytes do not fit.
    const auto port = open_port(
        io, {.family = family, .receive_buffer_bytes = std::size_t{256} << 10, .gro = false, .loud_queue = true});
    const auto flood = open_port(io, {.family = family});
    const auto quiet = open_port(io, {.family = family});
    ASSERT_TRUE(port && flood && quiet);
    ASSERT_TRUE(port->set_loud(std::vector<Sender>{{loopback(family, flood->port()), 0}}));
    constexpr std::uint64_t kFlood = 2000;
    for (std::uint64_t i = 0; i < kFlood; ++i) send(*flood, port->port(), 1200, {4});
    constexpr std::uint64_t kQuiet = 50;
    for (std::uint64_t i = 0; i < kQuiet; ++i) send(*quiet, port->port(), 1200, {4});

    EXPECT_EQ(take_first(*port, pool, kQuiet), kQuiet);
    std::uint64_t of_flood = drain_loud(*port, pool);
    send(*flood, port->port(), 1200, {4});  // the count travels with the next one that finds room
    pollfd poll{.fd = port->loud_poll_fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&poll, 1, 10'000), 1);
    of_flood += drain_loud(*port, pool);
    const auto dropped = port->receive_counters().get(UdpReceiveCounter::loud_drops);
    EXPECT_GT(dropped, 0U) << "else the queue was not full";
    EXPECT_EQ(of_flood + dropped, kFlood + 1) << "each was received or is counted";
    EXPECT_EQ(port->status().loud_drops, dropped);
    EXPECT_EQ(port->status().kernel_drops, 0U);
  });
}

TEST_P(LoudQueue, TheTrainOfANamedSenderStaysWhole) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    const auto port = open_port(io, {.family = family, .loud_queue = true});
    const auto sender = open_port(io, {.family = family});
    ASSERT_TRUE(port && sender);
    ASSERT_TRUE(port->set_loud(std::vector<Sender>{{loopback(family, sender->port()), 0}}));
    std::vector<std::byte> memory(40 * 1300);
    memory[0] = packet::kTransportDataType;
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 1300, loopback(family, port->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    pollfd poll{.fd = port->loud_poll_fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&poll, 1, 10'000), 1);
    packet::UdpBatch batch;
    ASSERT_EQ(port->receive_loud(batch, pool), IoStatus::would_block);
    ASSERT_EQ(batch.datagrams.size(), 1U);
    EXPECT_EQ(batch.datagrams[0].count(), 40U);
    EXPECT_EQ(batch.datagrams[0].source, loopback(family, sender->port()));
    EXPECT_EQ(batch.datagrams[0].local.address, loopback(family, 0).address);
  });
}

TEST_P(LoudQueue, AnotherProgramsPortIsStillRefused) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    const auto port = open_port(io, {.family = family, .loud_queue = true});
    ASSERT_TRUE(port);
    for (const bool loud_queue : {false, true}) {
      const auto again = open_udp({.family = family, .port = port->port(), .loud_queue = loud_queue, .io = io});
      ASSERT_FALSE(again.has_value());
      EXPECT_EQ(again.error().code, EADDRINUSE);
    }
  });
}

TEST_P(LoudQueue, WithoutOneNobodyIsPutThere) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    const auto port = open_port(io, {.family = family});
    ASSERT_TRUE(port);
    EXPECT_EQ(port->loud_poll_fd(), -1);
    EXPECT_FALSE(port->set_loud({}));
    EXPECT_EQ(drain_loud(*port, pool), 0U);
    EXPECT_FALSE(port->status().loud_queue);
  });
}

TEST(LoudFilter, TheLongestProgramIsOneThatTheKernelTakes) {
  constexpr std::size_t kInstructionsMax = 4096;  // BPF_MAXINSNS
  for (const Family family : {Family::v4, Family::v6}) {
    const std::vector<Sender> loud(packet::FairShare::kLoudMax, Sender{loopback(family, 9), 0x4FFF});
    EXPECT_LE(make_loud_filter(family, loud).size(), kInstructionsMax);
    const Family other = family == Family::v4 ? Family::v6 : Family::v4;
    EXPECT_LT(make_loud_filter(other, loud).size(), make_loud_filter(family, loud).size())
        << "senders of the other family are left out";
  }
  EXPECT_EQ(make_loud_filter(Family::v4, {}).size(), 1U) << "with nobody named a datagram costs one instruction";
}

}  // namespace
}  // namespace fireline::io
