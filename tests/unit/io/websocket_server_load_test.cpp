// Peers that do not read, or write faster than the loop takes.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/unit/io/websocket_server_fixture.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;
using Counter = WebSocketServerCounter;

TEST_F(WebSocketServerTest, WhoDoesNotReadIsClosed) {
  listen({.endpoints = {}, .limits = {.queue_bytes = std::size_t{1} << 20}});
  const auto socket = dial_upgraded();
  const std::string text(100'000, 'x');
  for (int i = 0; i < 1000 && server_->counters().get(Counter::closed_slow) == 0; ++i) {
    server_->send(opened_[0], text);
    loop_->turn(0ms);
  }
  EXPECT_TRUE(counted(Counter::closed_slow));
  ASSERT_TRUE(has_closed());
  EXPECT_EQ(closed_[0].second, "it does not read what it is sent");
}

// An `init` may be larger than the queue; what was queued before it and what follows is none.
TEST_F(WebSocketServerTest, OneLargeMessageWaitsBesideTheQueue) {
  constexpr std::size_t kQueue = std::size_t{1} << 20;
  constexpr std::size_t kLarge = 16 * kQueue;
  listen({.endpoints = {}, .limits = {.queue_bytes = kQueue, .large_bytes = kLarge, .unsent_bytes = 64 * kQueue}});
  const auto socket = dial_upgraded();
  const auto read_all = [&](std::uint64_t messages) {
    std::string chunk(65536, '\0');
    return turn_until(*loop_, [&] {
      while (::recv(socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT) > 0) {
      }
      return server_->counters().get(Counter::messages_out) == messages;
    });
  };
  for (std::uint64_t round = 1; round <= 2; ++round) {
    for (const std::size_t bytes : {std::size_t{100}, kLarge, kQueue / 4, kQueue / 4, kQueue / 4}) {
      server_->send(opened_[0], std::string(bytes, 'x'));
    }
    EXPECT_EQ(server_->unsent_bytes(opened_[0]) > kLarge, true);
    ASSERT_TRUE(read_all(5 * round)) << round;
    EXPECT_EQ(server_->unsent_bytes(opened_[0]), 0u);
  }
  EXPECT_EQ(server_->counters().get(Counter::closed_slow), 0u);
  server_->send(opened_[0], std::string(kLarge, 'x'));
  server_->send(opened_[0], std::string(kLarge, 'x'));
  EXPECT_TRUE(counted(Counter::closed_slow)) << "one at a time";

  const auto other = dial_upgraded();
  server_->send(opened_[1], std::string(kLarge + 1, 'x'));
  EXPECT_TRUE(counted(Counter::closed_slow, 2)) << "nobody takes a larger frame";
}

// More than the kernel takes for a reader that sleeps.
constexpr std::size_t kMuch = std::size_t{32} << 20;

TEST_F(WebSocketServerTest, WhoTakesNothingForAWhileIsClosed) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .stall = 1ms}});
  const auto socket = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  EXPECT_TRUE(counted(Counter::closed_slow));
  EXPECT_TRUE(has_closed());
}

TEST_F(WebSocketServerTest, WhoDoesNotReadIsNotReadEither) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = 2 * kMuch}});
  const auto slow = dial_upgraded();
  const auto good = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  write(slow, frame(Opcode::text, "one", true, true));
  write(slow, frame(Opcode::text, "two", true, true));
  write(good, frame(Opcode::text, "hello", true, true));
  ASSERT_TRUE(turn_until(*loop_, [&] { return texts_.contains(opened_.at(1)); }));
  EXPECT_LT(texts_[opened_[0]].size(), 2u) << "the one that was being read";
  EXPECT_EQ(server_->unsent_bytes(opened_[0]), kMuch);
  EXPECT_EQ(server_->unsent_bytes(opened_[1]), 0u);
  read_away(slow);
  EXPECT_TRUE(turn_until(*loop_, [&] { return texts_[opened_[0]].size() == 2; }));
}

TEST_F(WebSocketServerTest, WhileTooMuchIsUnsentNobodyMayAsk) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = kMuch / 2}});
  const auto slow = dial_upgraded();
  const auto good = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  write(good, frame(Opcode::text, "one", true, true) + frame(Opcode::text, "two", true, true));
  ASSERT_TRUE(counted(Counter::messages_in));
  EXPECT_TRUE(texts_.empty());
  read_away(slow);
  EXPECT_TRUE(turn_until(*loop_, [&] { return texts_[opened_[1]].size() == 2; }));
  EXPECT_EQ(texts_[opened_[1]], (std::vector<std::string>{"one", "two"}));
}

TEST_F(WebSocketServerTest, WhileTooMuchIsUnsentWhoReadsALittleIsClosed) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = kMuch, .stall = 1h, .pace = 50ms}});
  const auto slow = dial_upgraded();
  const auto good = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  write(good, frame(Opcode::text, "one", true, true));
  std::string chunk(256, '\0');
  EXPECT_TRUE(turn_until(*loop_, [&] {
    static_cast<void>(::recv(slow.get(), chunk.data(), chunk.size(), MSG_DONTWAIT));
    return texts_.contains(opened_.at(1));
  })) << "somebody else's message";
  EXPECT_TRUE(counted(Counter::closed_slow));
  ASSERT_TRUE(has_closed());
  EXPECT_EQ(closed_[0].first, opened_[0]);
}

// At a steady rate, whatever the time between two calls.
class SteadyReader {
 public:
  SteadyReader(const FileDescriptor& socket, std::size_t bytes, std::chrono::nanoseconds each)
      : socket_(socket.get()), chunk_(bytes, '\0'), each_(each) {}
  void read() {
    for (; next_ <= std::chrono::steady_clock::now(); next_ += each_) {
      static_cast<void>(::recv(socket_, chunk_.data(), chunk_.size(), MSG_DONTWAIT));
    }
  }

 private:
  int socket_;
  std::string chunk_;
  std::chrono::nanoseconds each_;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
};

// What a slow uplink leaves to each: far less than the message in that time, yet it ends.
TEST_F(WebSocketServerTest, WhileTooMuchIsUnsentWhoReadsSlowlyStays) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = kMuch, .stall = 1h, .pace = 1s}});
  const auto slow = dial_upgraded();
  const auto good = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  write(good, frame(Opcode::text, "one", true, true));
  std::string chunk(65536, '\0');
  EXPECT_TRUE(turn_until(*loop_, [&] {
    static_cast<void>(::recv(slow.get(), chunk.data(), chunk.size(), MSG_DONTWAIT));
    return texts_.contains(opened_.at(1));
  }));
  EXPECT_EQ(server_->counters().get(Counter::closed_slow), 0u);
}

// A few hundred kilobytes a second are much for who owes little; of so much they would keep everybody waiting.
TEST_F(WebSocketServerTest, WhileTooMuchIsUnsentWhoReadsALittleOfMuchIsClosed) {
  listen(
      {.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = kMuch / 8, .stall = 1h, .pace = 400ms}});
  const auto slow = dial_upgraded();
  const auto good = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  write(good, frame(Opcode::text, "one", true, true));
  SteadyReader reader(slow, 8192, 10ms);
  EXPECT_TRUE(turn_until(*loop_, [&] {
    reader.read();
    return texts_.contains(opened_.at(1));
  })) << "somebody else's message";
  EXPECT_EQ(server_->counters().get(Counter::closed_slow), 1u);
}

// The kernel takes more of the server when a third of its buffer is free, and the peer's acknowledgement comes long
// before that.
TEST_F(WebSocketServerTest, WhoReadsSteadilyTakesSomething) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = 2 * kMuch, .stall = 1s}});
  const auto slow = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  SteadyReader reader(slow, 8192, 20ms);
  const auto end = std::chrono::steady_clock::now() + 3500ms;
  EXPECT_TRUE(turn_until(*loop_, [&] {
    reader.read();
    return std::chrono::steady_clock::now() >= end;
  }));
  EXPECT_EQ(server_->counters().get(Counter::closed_slow), 0u);
}

TEST_F(WebSocketServerTest, WhileNobodyWaitsWhoReadsALittleStays) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = kMuch, .stall = 1h, .pace = 1ms}});
  const auto slow = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  read_away(slow);
  EXPECT_EQ(server_->counters().get(Counter::closed_slow), 0u);
}

TEST_F(WebSocketServerTest, WhileThereIsRoomWhoReadsALittleStays) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = 2 * kMuch, .stall = 1h, .pace = 1ms}});
  const auto slow = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  read_away(slow);
  EXPECT_EQ(server_->counters().get(Counter::closed_slow), 0u);
}

TEST_F(WebSocketServerTest, WhoIsFasterThanTheLoopIsHeldBack) {
  listen();
  const auto socket = dial_upgraded();
  // The loop does not turn: what nobody takes is not read, and TCP holds the sender back.
  const std::string text = frame(Opcode::text, std::string(60'000, 'x'), true, true);
  std::size_t written = 0;
  ::timeval patience{.tv_sec = 0, .tv_usec = 200'000};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  for (int i = 0; i < 2000; ++i) {
    const auto sent =
        ::send(socket.get(), text.data() + written % text.size(), text.size() - written % text.size(), MSG_NOSIGNAL);
    if (sent <= 0) break;
    written += static_cast<std::size_t>(sent);
  }
  EXPECT_LT(written, 2000 * text.size());
  const std::size_t whole = written / text.size();
  EXPECT_TRUE(turn_until(*loop_, [&] { return texts_[opened_.at(0)].size() == whole; }));
}

TEST_F(WebSocketServerTest, MessagesWithoutTextAreHeldBackAsWell) {
  listen();
  const auto socket = dial_upgraded();
  constexpr int kFrames = 1000;
  std::string frames;
  for (int i = 0; i < kFrames; ++i) frames += frame(Opcode::text, "", true, true);
  ASSERT_EQ(::send(socket.get(), frames.data(), frames.size(), MSG_NOSIGNAL), static_cast<ssize_t>(frames.size()));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // in which the loop does not turn
  EXPECT_LE(server_->counters().get(Counter::messages_in), 1u);
  EXPECT_TRUE(turn_until(*loop_, [&] { return texts_[opened_.at(0)].size() == kFrames; }));
}

}  // namespace
}  // namespace fireline::io
