// What UdpSocket makes of each result of recvmsg, and where the bytes end up.
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "io/receive_arena.h"
#include "io/udp_socket.h"
#include "tests/unit/io/heap_buffers.h"
#include "tests/unit/io/scripted_syscalls.h"

namespace fireline::io {
namespace {

struct Receiver {
  ScriptedSyscalls syscalls;
  HeapBuffers pool;
  std::unique_ptr<UdpSocket> socket;
  packet::UdpBatch batch;

  explicit Receiver(std::size_t buffers = 64) : pool(buffers) {
    auto opened = UdpSocket::open({.family = Family::v4}, syscalls);
    EXPECT_TRUE(opened.has_value());
    socket = std::move(*opened);
  }
  void push(std::size_t bytes, int gro_bytes = 0) {
    std::vector<std::byte> content(bytes, std::byte{next_++});
    syscalls.incoming.push_back({.bytes = std::move(content), .gro_bytes = gro_bytes});
  }
  std::uint64_t count(UdpReceiveCounter which) const { return socket->receive_counters().get(which); }

 private:
  unsigned char next_ = 1;
};

TEST(UdpReceive, BadResultsAreCountedAndTheNextDatagramIsReceived) {
  struct Row {
    const char* rule;
    ScriptedSyscalls::Incoming incoming;
    UdpReceiveCounter counted;
  };
  const std::vector<std::byte> ten(10);
  const std::vector<Row> rows = {
      {"a pending error ends nothing", {.error = ECONNREFUSED}, UdpReceiveCounter::errors},
      {"lack of memory ends nothing", {.error = ENOMEM}, UdpReceiveCounter::errors},
      {"an empty datagram is skipped", {}, UdpReceiveCounter::empty},
      {"a truncated one is dropped", {.bytes = ten, .flags = MSG_TRUNC}, UdpReceiveCounter::truncated},
      {"a segment size above the length", {.bytes = ten, .gro_bytes = 11}, UdpReceiveCounter::bad_segment},
      {"a negative segment size", {.bytes = ten, .gro_bytes = -1}, UdpReceiveCounter::bad_segment},
      {"cut control messages", {.bytes = ten, .flags = MSG_CTRUNC}, UdpReceiveCounter::bad_segment},
      {"a sender of another family", {.bytes = ten, .foreign_source = true}, UdpReceiveCounter::bad_source},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    Receiver it;
    it.syscalls.incoming.push_back(row.incoming);
    it.push(20);
    EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::would_block);
    EXPECT_EQ(it.count(row.counted), 1U);
    ASSERT_EQ(it.batch.datagrams.size(), 1U);
    EXPECT_EQ(it.batch.datagrams[0].bytes.size(), 20U);
    EXPECT_EQ(it.batch.datagrams[0].segment_bytes, 20U);
    EXPECT_EQ(it.count(UdpReceiveCounter::datagrams), 1U);
  }
}

TEST(UdpReceive, AnEndlessErrorDoesNotHoldTheThread) {
  Receiver it;
  for (int i = 0; i < 1000; ++i) it.syscalls.incoming.push_back({.error = ECONNREFUSED});
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::done);
  EXPECT_LT(it.count(UdpReceiveCounter::errors), 100U);
  EXPECT_EQ(it.pool.out(), 0U);
}

TEST(UdpReceive, AClosedSocketIsTold) {
  Receiver it;
  it.syscalls.incoming.push_back({.error = EBADF});
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::closed);
}

TEST(UdpReceive, SmallDatagramsShareABufferAndLargeOnesAreNotCopied) {
  Receiver it;
  it.push(100);
  it.push(65000, 1300);
  it.push(200);
  it.push(2048);
  it.push(2049);
  it.push(1);
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::would_block);
  ASSERT_EQ(it.batch.datagrams.size(), 6U);
  EXPECT_EQ(it.batch.buffers.size(), 3U) << "one for all small ones, one for each large one";
  EXPECT_EQ(it.pool.out(), 3U) << "nothing stays behind";
  for (std::size_t i = 0; i < 6; ++i) {
    for (const std::byte byte : it.batch.datagrams[i].bytes)
      ASSERT_EQ(byte, std::byte(i + 1)) << "order, and no overlap";
  }
  EXPECT_EQ(it.batch.datagrams[1].segment_bytes, 1300U);
  EXPECT_EQ(it.count(UdpReceiveCounter::datagrams), 55U);
}

TEST(UdpReceive, EachDatagramHasSlackOnBothSides) {
  Receiver it;
  for (int i = 0; i < 64; ++i) it.push(1400);
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::done);
  ASSERT_EQ(it.batch.datagrams.size(), 64U);
  // Writing into the slack of all must leave the bytes of all as they are (ASan watches the buffers' ends).
  for (auto& datagram : it.batch.datagrams) {
    std::byte* const data = datagram.bytes.data();
    std::memset(data - kArenaSlackBytes, 0xAA, kArenaSlackBytes);
    std::memset(data + datagram.bytes.size(), 0xAA, kArenaSlackBytes);
  }
  for (std::size_t i = 0; i < 64; ++i) {
    for (const std::byte byte : it.batch.datagrams[i].bytes) ASSERT_EQ(byte, std::byte(i + 1));
  }
}

TEST(UdpReceive, ATurnEndsWhenTheBatchIsFull) {
  Receiver it;
  for (int i = 0; i < 65; ++i) it.push(10);
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::done);
  EXPECT_EQ(it.batch.datagrams.size(), packet::kUdpBatchDatagrams);
  it.batch.clear();
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::would_block);
  EXPECT_EQ(it.batch.datagrams.size(), 1U);
}

TEST(UdpReceive, ATurnEndsWhenItsBuffersAreUsedUp) {
  Receiver it;
  for (int i = 0; i < 10; ++i) it.push(10000, 1000);
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::done);
  EXPECT_EQ(it.batch.datagrams.size(), packet::kUdpBatchBuffers);
  EXPECT_EQ(it.count(UdpReceiveCounter::no_buffer), 0U);
}

TEST(UdpReceive, ATurnEndsAfterTwoFullTrains) {
  Receiver it;
  for (int i = 0; i < 10; ++i) it.push(65000, 1000);
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::done);
  EXPECT_EQ(it.batch.datagrams.size(), 2U);
  EXPECT_EQ(it.count(UdpReceiveCounter::no_buffer), 0U);
}

TEST(UdpReceive, AnEmptyPoolLeavesTheDatagramsInTheSocket) {
  Receiver it(1);
  const packet::Buffer taken = it.pool.acquire();
  it.push(10);
  EXPECT_EQ(it.socket->receive(it.batch, it.pool), IoStatus::done);
  EXPECT_TRUE(it.batch.empty());
  EXPECT_EQ(it.count(UdpReceiveCounter::no_buffer), 1U);
  EXPECT_EQ(it.syscalls.incoming.size(), 1U);
}

TEST(UdpReceive, TheKernelsCumulativeDropCountIsAddedUpAcrossItsWrap) {
  Receiver it;
  const std::vector<std::byte> ten(10);
  it.syscalls.incoming.push_back({.bytes = ten, .kernel_drops = 0xFFFFFFF0U});
  it.syscalls.incoming.push_back({.bytes = ten, .kernel_drops = 5});
  (void)it.socket->receive(it.batch, it.pool);
  EXPECT_EQ(it.count(UdpReceiveCounter::kernel_drops), 0xFFFFFFF0U + std::uint64_t{21});
}

}  // namespace
}  // namespace fireline::io
