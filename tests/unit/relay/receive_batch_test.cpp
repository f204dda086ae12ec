#include "relay/receive_batch.h"

#include <gtest/gtest.h>

#include "tests/unit/relay/scripted_socket.h"

namespace fireline::relay {
namespace {

class ReceiveBatchTest : public ::testing::Test {
 protected:
  ReceiveBatch::Outcome read() { return batch_.read(7, Family::v4, memory_, kernel_, counters_); }
  std::uint64_t count(RelayCounter which) const { return counters_.get(which); }

  ScriptedSocket kernel_;
  Counters<RelayCounter> counters_;
  ReceiveMemory memory_;
  ReceiveBatch batch_;
};

TEST_F(ReceiveBatchTest, SinglesAreReadTogether) {
  for (int i = 0; i < 40; ++i) kernel_.incoming.push_back({.bytes = "datagram"});
  auto outcome = read();
  EXPECT_EQ(outcome.packets, kBatchMessagesMax);
  EXPECT_FALSE(outcome.drained);
  outcome = read();
  EXPECT_EQ(outcome.packets, 40 - kBatchMessagesMax);
  EXPECT_TRUE(outcome.drained) << "the call ended before it had what it asked for";
  ASSERT_EQ(batch_.messages().size(), 40 - kBatchMessagesMax);
  EXPECT_EQ(batch_.messages()[0].segments(), 1u);
  EXPECT_EQ(batch_.messages()[0].source, *Endpoint::parse("127.0.0.1:4711"));
  EXPECT_EQ(count(RelayCounter::received), 40u);
}

TEST_F(ReceiveBatchTest, TrainsMakeTheBatchShorterAndSinglesLonger) {
  const std::string train(64 * 100, 'x');
  for (int i = 0; i < 3; ++i) kernel_.incoming.push_back({.bytes = train, .gro_bytes = 100});
  auto outcome = read();
  EXPECT_EQ(outcome.packets, 3u * 64) << "the first trains come unannounced";
  ASSERT_EQ(batch_.messages().size(), 3u);
  EXPECT_EQ(batch_.messages()[0].segments(), 64u);
  for (int i = 0; i < 3; ++i) kernel_.incoming.push_back({.bytes = train, .gro_bytes = 100});
  for (int i = 0; i < 3; ++i) {
    outcome = read();
    EXPECT_EQ(outcome.packets, 64u) << "after that no batch holds more than kBatchPackets";
    EXPECT_FALSE(outcome.drained);
  }
  EXPECT_EQ(kernel_.asked.back(), 1u);
  for (int i = 0; i < 400; ++i) kernel_.incoming.push_back({.bytes = "x"});
  while (!kernel_.incoming.empty()) {
    outcome = read();
    EXPECT_LE(outcome.packets, kBatchPackets);
  }
  EXPECT_EQ(kernel_.asked.back(), kBatchMessagesMax) << "singles have been read for long enough";
}

TEST_F(ReceiveBatchTest, ErrorsAreCountedAndTheSocketStaysReady) {
  struct Row {
    const char* rule;
    std::vector<int> errors;
    bool drained;
    bool closed;
    std::uint64_t counted;
  };
  const Row rows[] = {
      {"nothing there", {EAGAIN}, true, false, 0},
      {"interrupted, and then nothing there", {EINTR, EINTR, EAGAIN}, true, false, 0},
      {"a pending error of the socket", {ECONNREFUSED}, false, false, 1},
      {"no memory in the kernel", {ENOBUFS}, false, false, 1},
      {"an error of the device", {EIO}, false, false, 1},
      {"no socket any more", {EBADF}, true, true, 1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    ScriptedSocket kernel;
    Counters<RelayCounter> counters;
    for (const int error : row.errors) kernel.incoming.push_back({.error = error});
    const auto outcome = batch_.read(7, Family::v4, memory_, kernel, counters);
    EXPECT_EQ(outcome.drained, row.drained);
    EXPECT_EQ(outcome.closed, row.closed);
    EXPECT_EQ(outcome.packets, row.counted) << "a failing socket has its turn like others";
    EXPECT_EQ(counters.get(RelayCounter::receive_errors), row.counted);
    EXPECT_TRUE(batch_.messages().empty());
  }
}

TEST_F(ReceiveBatchTest, WhatCannotBeIsDroppedByName) {
  kernel_.incoming.push_back({.bytes = "cut", .flags = MSG_TRUNC});
  kernel_.incoming.push_back({.bytes = "train", .flags = MSG_CTRUNC});
  kernel_.incoming.push_back({.bytes = "train", .gro_bytes = 6});
  kernel_.incoming.push_back({.bytes = "train", .gro_bytes = -1});
  kernel_.incoming.push_back({.bytes = ""});
  kernel_.incoming.push_back({.bytes = "good"});
  EXPECT_EQ(read().packets, 6u);
  ASSERT_EQ(batch_.messages().size(), 2u);
  EXPECT_TRUE(batch_.messages()[0].bytes.empty()) << "an empty datagram is a datagram";
  EXPECT_EQ(batch_.messages()[0].segments(), 1u);
  EXPECT_EQ(count(RelayCounter::truncated), 1u);
  EXPECT_EQ(count(RelayCounter::bad_segment), 3u);
  EXPECT_EQ(count(RelayCounter::received), 6u);
}

TEST_F(ReceiveBatchTest, KernelDropsAreDifferences) {
  kernel_.incoming.push_back({.bytes = "a", .kernel_drops = 0x7FFFFFFF});
  kernel_.incoming.push_back({.bytes = "b", .kernel_drops = 0xFFFFFFFE});
  kernel_.incoming.push_back({.bytes = "c", .kernel_drops = 4});
  (void)read();
  EXPECT_EQ(count(RelayCounter::kernel_drops), 0x1'0000'0004ull) << "right across the wrap";
  kernel_.incoming.push_back({.bytes = "queued before the drops were asked for", .kernel_drops = 3});
  kernel_.incoming.push_back({.bytes = "and behind", .kernel_drops = 5});
  (void)read();
  EXPECT_EQ(count(RelayCounter::kernel_drops), 0x1'0000'0005ull) << "what is known is not counted again";
}

}  // namespace
}  // namespace fireline::relay
