// The wake-up rule and back-pressure, as a model: producer and consumer threads that sleep only when the rule lets
// them, queue lengths of one, and random stalls. A lost wake-up shows as a thread that sleeps for ever: the test then
// hangs and ctest's limit fails it.
#include "io/channel.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace fireline::io {
namespace {

struct Numbers {
  std::vector<int> values;
  void clear() noexcept { values.clear(); }
};

void sleep_on(Waker& waker) {
  pollfd fd{waker.fd(), POLLIN, 0};
  ::poll(&fd, 1, -1);
}

// Works while `turn` does, and sleeps by the rule otherwise; until `done`.
template <class Turn, class Done>
void run_by_the_rule(Waker& waker, Turn turn, Done done) {
  while (!done()) {
    if (turn()) continue;
    waker.announce_sleep();
    if (!done() && !turn()) sleep_on(waker);
    waker.awake(true);
  }
}

void stall(std::mt19937& random) {
  if (random() % 16 != 0) return;
  for (auto i = random() % 2000; i > 0; --i) std::atomic_signal_fence(std::memory_order_seq_cst);
}

TEST(Channel, AClaimAfterTheLastBatchFailsUntilOneComesBack) {
  Waker producer;
  Waker consumer;
  Channel<Numbers> channel(2, producer, consumer);
  ASSERT_NE(channel.claim(), nullptr);
  EXPECT_EQ(channel.claim(), channel.claim()) << "the same batch until it is published";
  channel.publish();
  ASSERT_NE(channel.claim(), nullptr);
  channel.publish();
  EXPECT_EQ(channel.claim(), nullptr);
  EXPECT_EQ(channel.depth(), 2u);
  EXPECT_FALSE(channel.idle());
  Numbers* first = channel.take();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(channel.claim(), nullptr) << "taken is not given back";
  channel.give_back(first);
  EXPECT_NE(channel.claim(), nullptr);
}

TEST(Channel, GivesBatchesInOrderAndClearsThemOnTheWayBack) {
  Waker producer;
  Waker consumer;
  Channel<Numbers> channel(3, producer, consumer);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i) {
      Numbers* batch = channel.claim();
      ASSERT_NE(batch, nullptr);
      EXPECT_TRUE(batch->values.empty());
      batch->values.push_back(i);
      channel.publish();
    }
    for (int i = 0; i < 3; ++i) {
      Numbers* batch = channel.take();
      ASSERT_NE(batch, nullptr);
      EXPECT_EQ(batch->values, std::vector<int>{i});
      channel.give_back(batch);
    }
    EXPECT_EQ(channel.take(), nullptr);
    EXPECT_TRUE(channel.idle());
  }
}

// reader → worker → writer, as TUN thread, packet thread and UDP thread: the worker takes a batch only while it holds
// room for its output.
class ChannelChain : public testing::TestWithParam<std::size_t> {};

TEST_P(ChannelChain, MakesProgressWithRandomStalls) {
  constexpr int kBatches = 30000;
  Waker reader;
  Waker worker;
  Waker writer;
  Channel<Numbers> in(GetParam(), reader, worker);
  Channel<Numbers> out(GetParam(), worker, writer);
  int received = 0;
  bool in_order = true;

  std::thread reading([&] {
    std::mt19937 random(1);
    int next = 0;
    run_by_the_rule(
        reader,
        [&] {
          Numbers* batch = in.claim();
          if (batch == nullptr) return false;
          stall(random);
          batch->values.push_back(next++);
          in.publish();
          return true;
        },
        [&] { return next == kBatches; });
  });
  std::thread working([&] {
    std::mt19937 random(2);
    int passed = 0;
    run_by_the_rule(
        worker,
        [&] {
          Numbers* room = out.claim();
          if (room == nullptr) return false;
          Numbers* batch = in.take();
          if (batch == nullptr) return false;
          stall(random);
          std::swap(room->values, batch->values);
          out.publish();
          in.give_back(batch);
          ++passed;
          return true;
        },
        [&] { return passed == kBatches; });
  });
  std::thread writing([&] {
    std::mt19937 random(3);
    run_by_the_rule(
        writer,
        [&] {
          Numbers* batch = out.take();
          if (batch == nullptr) return false;
          stall(random);
          in_order = in_order && batch->values == std::vector<int>{received};
          ++received;
          out.give_back(batch);
          return true;
        },
        [&] { return received == kBatches; });
  });
  reading.join();
  working.join();
  writing.join();
  EXPECT_EQ(received, kBatches);
  EXPECT_TRUE(in_order);
  EXPECT_TRUE(in.idle());
  EXPECT_TRUE(out.idle());
}

INSTANTIATE_TEST_SUITE_P(QueueLengths, ChannelChain, testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace fireline::io
