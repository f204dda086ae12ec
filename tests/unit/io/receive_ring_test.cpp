// The io_uring backend's receiving half, with real sockets: whatever becomes of its buffers and its thread, no datagram
// is lost or repeated, and every buffer comes back.
#include "io/receive_ring.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "io/pool.h"
#include "io/receive_arena.h"
#include "io/socket_address.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

// A port of the backend under test, and a plain socket that sends numbered datagrams to it.
struct Pair {
  explicit Pair(std::size_t buffers = 64, std::size_t buffer_bytes = packet::kLargeBufferBytes)
      : pool(buffers, buffer_bytes),
        port(open_port(UdpIo::io_uring, {.family = Family::v4})),
        sender(open_port(UdpIo::syscall, {.family = Family::v4})) {}

  void push(std::size_t datagrams, std::size_t bytes = 100) {
    packet::UdpSendBatch out;
    std::vector<std::vector<std::byte>> memory;
    for (std::size_t i = 0; i < datagrams; ++i) {
      memory.emplace_back(bytes, std::byte{static_cast<unsigned char>(sent)});
      if (bytes >= sizeof sent) store_le32(Bytes(memory.back()), 0, sent);
      ++sent;
    }
    for (auto& each : memory) out.trains.push_back(train_of(each, bytes, loopback(Family::v4, port->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
  }
  void push_empty() const {
    const auto address = to_socket_address(loopback(Family::v4, port->port()));
    ASSERT_EQ(::sendto(sender->send_fd(), "", 0, 0, address.get(), address.length), 0) << std::strerror(errno);
  }
  // Takes what is there, in order.
  IoStatus take() {
    packet::UdpBatch batch;
    const IoStatus status = port->receive(batch, pool);
    for (const auto& each : batch.datagrams) {
      for (std::size_t at = 0; at < each.bytes.size(); at += each.segment_bytes) {
        EXPECT_EQ(load_le32(each.bytes, at), received) << "order";
        ++received;
      }
    }
    return status;
  }
  void take_all() {
    while (received < sent) {
      if (take() != IoStatus::would_block || received == sent) continue;
      pollfd poll{.fd = port->poll_fd(), .events = POLLIN, .revents = 0};
      ASSERT_EQ(::poll(&poll, 1, 10000), 1) << "nothing more after " << received;
    }
  }
  [[nodiscard]] std::uint64_t count(UdpReceiveCounter which) const { return port->receive_counters().get(which); }

  HeapBuffers pool;
  std::unique_ptr<UdpPort> port;
  std::unique_ptr<UdpPort> sender;
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
};

class ReceiveRingTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = missing_backend(UdpIo::io_uring); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(ReceiveRingTest, MoreDatagramsThanSlotsArriveInOrder) {
  in_network_namespace([] {
    Pair it;
    it.push(500);
    it.take_all();
    EXPECT_EQ(it.count(UdpReceiveCounter::datagrams), 500U);
    EXPECT_EQ(it.count(UdpReceiveCounter::errors), 0U);
    EXPECT_EQ(it.pool.out(), kReceiveSlots);
  });
}

TEST_F(ReceiveRingTest, DatagramsThatComeWhileItWaitsAreTakenToo) {
  in_network_namespace([] {
    Pair it;
    ASSERT_EQ(it.take(), IoStatus::would_block);
    for (int round = 0; round < 100; ++round) {
      it.push(static_cast<std::size_t>(round % 40 + 1), round % 3 == 0 ? 3000 : 100);
      it.take_all();
    }
    EXPECT_EQ(it.count(UdpReceiveCounter::no_buffer), 0U);
  });
}

TEST_F(ReceiveRingTest, AnEmptyPoolLeavesTheDatagramsInTheSocket) {
  in_network_namespace([] {
    Pair it(1);
    packet::Buffer taken = it.pool.acquire();
    it.push(40);
    EXPECT_EQ(it.take(), IoStatus::done);
    EXPECT_EQ(it.received, 0U);
    EXPECT_EQ(it.count(UdpReceiveCounter::no_buffer), 1U);
    taken.reset();
    it.take_all();
  });
}

TEST_F(ReceiveRingTest, APoolSmallerThanTheRingLosesNothing) {
  in_network_namespace([] {
    for (const std::size_t buffers : {1U, 2U, 3U, 7U}) {
      SCOPED_TRACE(buffers);
      Pair it(buffers);
      it.push(100, 3000);
      it.take_all();
      EXPECT_LE(it.pool.out(), buffers);
    }
  });
}

// The pool as the data plane has it: buffers come back on another thread, which wakes the one that starves.
TEST_F(ReceiveRingTest, BuffersThatComeBackWakeAStarvingReader) {
  in_network_namespace([] {
    Waker waker;
    BufferPool pool("test", packet::kLargeBufferBytes, 2 * packet::kLargeBufferBytes);
    pool.adopt(&waker);
    auto port = open_port(UdpIo::io_uring, {.family = Family::v4});
    const auto sender = open_port(UdpIo::syscall, {.family = Family::v4});
    ASSERT_TRUE(port && sender);
    auto memory = numbered(3000);
    packet::UdpSendBatch out;
    for (int i = 0; i < 3; ++i) out.trains.push_back(train_of(memory, 3000, loopback(Family::v4, port->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    packet::UdpBatch first;
    EXPECT_EQ(port->receive(first, pool), IoStatus::done) << "two large ones, and no buffer for the third";
    ASSERT_EQ(first.datagrams.size(), 2U);
    waker.announce_sleep();
    packet::UdpBatch none;
    EXPECT_EQ(port->receive(none, pool), IoStatus::done);
    EXPECT_TRUE(none.empty());
    std::thread consumer([&] { first.clear(); });
    pollfd poll{.fd = waker.fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&poll, 1, 10000), 1);
    consumer.join();
    waker.awake(true);
    packet::UdpBatch third;
    (void)receive_next(*port, third, pool);
    EXPECT_EQ(third.datagrams.size(), 1U);
  });
}

TEST_F(ReceiveRingTest, SmallDatagramsShareABufferAndLargeOnesAreNotCopied) {
  in_network_namespace([] {
    Pair it;
    const std::vector<std::size_t> sizes = {100, 65000, 200, 2048, 2049, 1};
    for (const std::size_t bytes : sizes) it.push(1, bytes);
    packet::UdpBatch batch;
    EXPECT_EQ(it.port->receive(batch, it.pool), IoStatus::would_block);
    ASSERT_EQ(batch.datagrams.size(), sizes.size());
    EXPECT_EQ(batch.buffers.size(), 3U) << "one for all small ones, one for each large one";
    EXPECT_EQ(it.pool.out(), 3U + kReceiveSlots) << "filled buffers were replaced in the same turn";
    // Writing into the slack of all must leave the bytes of all as they are (ASan watches the buffers' ends).
    for (auto& datagram : batch.datagrams) {
      std::byte* const data = datagram.bytes.data();
      std::memset(data - kArenaSlackBytes, 0xAA, kArenaSlackBytes);
      std::memset(data + datagram.bytes.size(), 0xAA, kArenaSlackBytes);
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      ASSERT_EQ(batch.datagrams[i].bytes.size(), sizes[i]);
      EXPECT_EQ(batch.datagrams[i].bytes[sizes[i] - 1], std::byte(i)) << "no overlap";
    }
  });
}

TEST_F(ReceiveRingTest, ATurnEndsWhenItsBuffersOrItsItemsAreUsedUp) {
  in_network_namespace([] {
    Pair it;
    it.push(10, 3000);
    packet::UdpBatch large;
    EXPECT_EQ(it.port->receive(large, it.pool), IoStatus::done);
    EXPECT_EQ(large.datagrams.size(), packet::kUdpBatchBuffers);
    packet::UdpBatch rest;
    EXPECT_EQ(it.port->receive(rest, it.pool), IoStatus::would_block);
    EXPECT_EQ(rest.datagrams.size(), 10 - packet::kUdpBatchBuffers);
    it.push(200);
    packet::UdpBatch small;
    EXPECT_EQ(receive_next(*it.port, small, it.pool), IoStatus::done);
    EXPECT_LE(small.datagrams.size(), packet::kUdpBatchDatagrams);
  });
}

TEST_F(ReceiveRingTest, EmptyAndTruncatedDatagramsAreCountedAndTheNextIsTaken) {
  in_network_namespace([] {
    Pair it(64, 2048);
    it.push_empty();
    it.push(1);
    it.push(1, 4000);
    it.push(1);
    packet::UdpBatch batch;
    EXPECT_EQ(it.port->receive(batch, it.pool), IoStatus::would_block);
    EXPECT_EQ(it.count(UdpReceiveCounter::empty), 1U);
    EXPECT_EQ(it.count(UdpReceiveCounter::truncated), 1U);
    EXPECT_EQ(it.count(UdpReceiveCounter::datagrams), 2U);
    EXPECT_EQ(it.count(UdpReceiveCounter::calls), 4U);
  });
}

TEST_F(ReceiveRingTest, AnotherThreadGoesOnWhereTheFirstOneStopped) {
  struct Row {
    const char* rule;
    bool stopped;  // before the thread ends
  };
  for (const Row& row : {Row{"it was called off", true}, Row{"its thread ended, and the kernel ended it", false}}) {
    SCOPED_TRACE(row.rule);
    in_network_namespace([&row] {
      Pair it;
      for (int round = 0; round < 20; ++round) {
        std::thread([&] {
          it.push(30);
          (void)it.take();
          it.push(5);
          if (row.stopped) it.port->stop_receiving();
        }).join();
        it.push(7);
      }
      it.take_all();
      EXPECT_EQ(it.count(UdpReceiveCounter::errors), 0U);
    });
  }
}

TEST_F(ReceiveRingTest, BuffersAndPortAreFreeWhenItIsGone) {
  struct Row {
    const char* rule;
    std::function<void(Pair&)> state;
  };
  const std::vector<Row> rows = {{"it never received", [](Pair&) {}},
                                 {"it waits", [](Pair& it) { (void)it.take(); }},
                                 {"something has come and was not taken",
                                  [](Pair& it) {
                                    (void)it.take();
                                    it.push(30);
                                  }},
                                 {"it was stopped",
                                  [](Pair& it) {
                                    (void)it.take();
                                    it.push(3);
                                    it.port->stop_receiving();
                                    it.port->stop_receiving();
                                  }},
                                 {"it has no buffer",
                                  [](Pair& it) {
                                    std::vector<packet::Buffer> all;
                                    while (packet::Buffer buffer = it.pool.acquire()) all.push_back(std::move(buffer));
                                    it.push(1);
                                    (void)it.take();
                                  }},
                                 {"its last turn was full", [](Pair& it) {
                                    it.push(60, 3000);
                                    (void)it.take();
                                  }}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    in_network_namespace([&row] {
      for (int round = 0; round < 20; ++round) {
        Pair it;
        row.state(it);
        const std::uint16_t port = it.port->port();
        it.port.reset();
        EXPECT_EQ(it.pool.out(), 0U);
        EXPECT_TRUE(open_port(UdpIo::syscall, {.family = Family::v4, .port = port})) << "round " << round;
      }
    });
  }
}

}  // namespace
}  // namespace fireline::io
