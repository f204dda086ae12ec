#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <memory>

#include "io/udp_bind.h"
#include "relay/gather_train.h"
#include "relay/relay_socket.h"
#include "relay/train_sender.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/relay/scripted_socket.h"

namespace fireline::relay {
namespace {

ConstBytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class TrainTest : public ::testing::Test {
 protected:
  TrainTest() : socket_(io::FileDescriptor(), Family::v4, 50000, false), sender_(counters_, kernel_, true) {}

  Route route(std::uint16_t channel = 0) { return {.socket = &socket_, .to = to_, .channel = channel}; }

  // A train of payloads "a0", "a1", … that is sent at once.
  TrainSender::State send(const std::vector<std::string>& payloads, std::uint16_t channel = 0) {
    train_.clear();
    for (const auto& payload : payloads) EXPECT_TRUE(train_.append(route(channel), bytes_of(payload)));
    return sender_.send(socket_, train_.view(), now_);
  }
  std::uint64_t count(RelayCounter which) const { return counters_.get(which); }

  Endpoint to_ = *Endpoint::parse("192.0.2.1:9");
  Instant now_{std::chrono::seconds(1)};
  RelaySocket socket_;
  ScriptedSocket kernel_;
  Counters<RelayCounter> counters_;
  TrainSender sender_;
  GatherTrain train_;
};

TEST_F(TrainTest, WhatJoins) {
  struct Row {
    const char* rule;
    std::vector<std::size_t> payloads;  // lengths
    std::uint16_t channel;
    std::size_t joined;
  };
  const Row rows[] = {
      {"equal datagrams travel together", {100, 100, 100}, 0, 3},
      {"a shorter one ends the train", {100, 100, 40, 40}, 0, 3},
      {"a longer one does not join", {100, 101}, 0, 1},
      {"an empty datagram travels alone", {0, 0}, 0, 1},
      {"nor does it end a train", {100, 0}, 0, 1},
      {"with a channel header an empty one has bytes", {0, 0}, 0x4000, 2},
      {"64 segments at most", std::vector<std::size_t>(70, 10), 0, 64},
      {"65,507 bytes at most", std::vector<std::size_t>(10, 9000), 0, 7},
      {"headers count", std::vector<std::size_t>(10, 9355), 0x4000, 6},
  };
  const std::string payload(10'000, 'x');
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    GatherTrain train;
    std::size_t joined = 0;
    for (const std::size_t length : row.payloads) {
      if (!train.append(route(row.channel), bytes_of(payload).first(length))) break;
      ++joined;
    }
    EXPECT_EQ(joined, row.joined);
    EXPECT_EQ(train.view().count, row.joined);
  }
  GatherTrain train;
  ASSERT_TRUE(train.append(route(), bytes_of(payload).first(10)));
  EXPECT_FALSE(train.append(route(0x4000), bytes_of(payload).first(6))) << "another channel";
  Route other = route();
  other.to.port = 10;
  EXPECT_FALSE(train.append(other, bytes_of(payload).first(10))) << "another destination";
  other = route();
  other.ecn = packet::Ecn::ce;
  EXPECT_FALSE(train.append(other, bytes_of(payload).first(10))) << "other ECN bits";
}

TEST_F(TrainTest, HeadersAreInsertedAndThePayloadIsNotCopied) {
  const std::vector<std::string> payloads{"aaaa", "bbbb", "cc"};
  EXPECT_EQ(send(payloads, 0x4001), TrainSender::State::idle);
  const std::string full("\x40\x01\x00\x04", 4);
  const std::string last("\x40\x01\x00\x02", 4);
  EXPECT_EQ(kernel_.reached, (std::vector<std::string>{full + "aaaa", full + "bbbb", last + "cc"}));
  EXPECT_EQ(kernel_.attempts, "3:ok");
  EXPECT_EQ(kernel_.pieces_max, 6u) << "a header and a payload each";
  EXPECT_EQ(count(RelayCounter::sent), 3u);
  EXPECT_EQ(count(RelayCounter::sent_bytes), 22u);
  EXPECT_EQ(count(RelayCounter::gso_calls), 1u);
}

TEST_F(TrainTest, EveryErrnoHasItsReaction) {
  struct Row {
    const char* rule;
    std::vector<int> script;
    const char* attempts;
    std::size_t reached;
    TrainSender::State state;
    RelayCounter counter;
    std::uint64_t counted;
  };
  using enum TrainSender::State;
  const Row rows[] = {
      {"an interrupted send is repeated", {EINTR, EINTR}, "4:EINTR 4:EINTR 4:ok", 4, idle, RelayCounter::sent, 4},
      {"a full socket makes the train wait", {EAGAIN}, "4:EAGAIN", 0, blocked, RelayCounter::queued, 4},
      {"a busy kernel is asked once more", {ENOBUFS}, "4:ENOBUFS 4:ok", 4, idle, RelayCounter::kernel_busy, 0},
      {"and then the train waits", {ENOBUFS, ENOBUFS}, "4:ENOBUFS 4:ENOBUFS", 0, busy, RelayCounter::queued, 4},
      {"refused GSO goes singly", {EIO}, "4:EIO 1:ok 1:ok 1:ok 1:ok", 4, idle, RelayCounter::gso_refused, 1},
      {"EINVAL is refused GSO as well",
       {EINVAL},
       "4:EINVAL 1:ok 1:ok 1:ok 1:ok",
       4,
       idle,
       RelayCounter::gso_refused,
       1},
      {"a single that fails in between takes the rest with it",
       {EIO, 0, EIO},
       "4:EIO 1:ok 1:EIO",
       1,
       idle,
       RelayCounter::drop_other,
       3},
      {"too large for the path: those that are",
       {EMSGSIZE, 0, EMSGSIZE},
       "4:EMSGSIZE 1:ok 1:EMSGSIZE 1:ok 1:ok",
       3,
       idle,
       RelayCounter::drop_too_big,
       1},
      {"a full socket in the middle keeps the rest",
       {EIO, 0, EAGAIN},
       "4:EIO 1:ok 1:EAGAIN",
       1,
       blocked,
       RelayCounter::queued,
       3},
      {"no route", {ENETUNREACH}, "4:ENETUNREACH", 0, idle, RelayCounter::drop_unreachable, 4},
      {"a firewall", {EPERM}, "4:EPERM", 0, idle, RelayCounter::drop_denied, 4},
      {"an old error of the socket is taken away by asking again",
       {ECONNREFUSED},
       "4:ECONNREFUSED 4:ok",
       4,
       idle,
       RelayCounter::drop_other,
       0},
      {"what stays is a drop", {EPROTO, EPROTO}, "4:EPROTO 4:EPROTO", 0, idle, RelayCounter::drop_other, 4},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    Counters<RelayCounter> counters;
    ScriptedSocket kernel;
    kernel.send_script.assign(row.script.begin(), row.script.end());
    TrainSender sender(counters, kernel, true);
    RelaySocket socket(io::FileDescriptor(), Family::v4, 1, false);
    GatherTrain train;
    const std::string payload = "data";
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(train.append({.socket = &socket, .to = to_}, bytes_of(payload)));
    EXPECT_EQ(sender.send(socket, train.view(), now_), row.state);
    EXPECT_EQ(kernel.attempts, row.attempts);
    EXPECT_EQ(kernel.reached.size(), row.reached);
    EXPECT_EQ(counters.get(row.counter), row.counted);
    EXPECT_EQ(socket.waiting != nullptr, row.state != idle);
  }
}

TEST_F(TrainTest, APathWhoseMtuIsTooSmallDoesNotRefuseTrains) {
  kernel_.send_script = {EINVAL, EMSGSIZE};
  EXPECT_EQ(send({"a1", "a2", "a3"}), TrainSender::State::idle);
  EXPECT_EQ(send({"b1", "b2"}), TrainSender::State::idle);
  EXPECT_EQ(kernel_.attempts, "3:EINVAL 1:EMSGSIZE 1:ok 1:ok 2:ok");
  EXPECT_EQ(count(RelayCounter::drop_too_big), 1u);
}

TEST_F(TrainTest, WhatWaitsKeepsItsOrderAndItsTrain) {
  kernel_.send_script = {EAGAIN};
  EXPECT_EQ(send({"a1", "a2"}), TrainSender::State::blocked);
  EXPECT_EQ(send({"b1"}), TrainSender::State::blocked) << "behind what waits, though the kernel would take it";
  EXPECT_EQ(kernel_.attempts, "2:EAGAIN");
  kernel_.send_script = {0, EAGAIN};
  EXPECT_EQ(sender_.flush(socket_, now_), TrainSender::State::blocked);
  EXPECT_EQ(sender_.flush(socket_, now_), TrainSender::State::idle);
  EXPECT_EQ(kernel_.reached, (std::vector<std::string>{"a1", "a2", "b1"}));
  EXPECT_EQ(kernel_.attempts, "2:EAGAIN 2:ok 1:EAGAIN 1:ok") << "a waiting train leaves as one";
  EXPECT_EQ(sender_.waiting_bytes(), 0u);
  EXPECT_EQ(socket_.waiting, nullptr);
}

TEST_F(TrainTest, APartOfAWaitingTrainMayLeave) {
  kernel_.send_script = {EIO, 0, EAGAIN};
  EXPECT_EQ(send({"a1", "a2", "a3"}, 0x4000), TrainSender::State::blocked);
  kernel_.send_script = {0, EAGAIN};
  EXPECT_EQ(sender_.flush(socket_, now_), TrainSender::State::blocked) << "the path sends singly by now";
  EXPECT_EQ(sender_.flush(socket_, now_), TrainSender::State::idle);
  const std::string header("\x40\x00\x00\x02", 4);
  EXPECT_EQ(kernel_.reached, (std::vector<std::string>{header + "a1", header + "a2", header + "a3"}));
  EXPECT_EQ(count(RelayCounter::sent), 3u);
  EXPECT_EQ(sender_.waiting_bytes(), 0u);
}

TEST_F(TrainTest, WhatMayWaitIsBoundedPerSocketAndInAll) {
  const std::string large(60'000, 'x');
  kernel_.send_script = {EAGAIN};
  for (int i = 0; i < 6; ++i) send({large});
  EXPECT_EQ(count(RelayCounter::queued), 4u);
  EXPECT_EQ(count(RelayCounter::drop_queue_full), 2u);
  std::vector<std::unique_ptr<RelaySocket>> sockets;
  for (int i = 0; i < 200; ++i) {
    sockets.push_back(std::make_unique<RelaySocket>(io::FileDescriptor(), Family::v4, 1, false));
    kernel_.send_script = {EAGAIN};
    for (int j = 0; j < 4; ++j) {
      train_.clear();
      ASSERT_TRUE(train_.append({.socket = sockets.back().get(), .to = to_}, bytes_of(large)));
      if (sockets.back()->waiting == nullptr) kernel_.send_script = {EAGAIN};
      sender_.send(*sockets.back(), train_.view(), now_);
    }
  }
  EXPECT_LE(sender_.waiting_bytes(), kWaitingBytesTotal);
  EXPECT_GT(sender_.waiting_bytes(), kWaitingBytesTotal - 70'000);
  for (auto& socket : sockets) sender_.discard(*socket);
  sender_.discard(socket_);
  EXPECT_EQ(sender_.waiting_bytes(), 0u);
  EXPECT_EQ(count(RelayCounter::drop_closed), count(RelayCounter::queued));
}

TEST_F(TrainTest, EmptyDatagramsThatWaitAreBoundedToo) {
  kernel_.send_script = {EAGAIN};
  for (int i = 0; i < 10'000; ++i) send({""});
  EXPECT_EQ(count(RelayCounter::queued) + count(RelayCounter::drop_queue_full), 10'000u);
  EXPECT_LE(count(RelayCounter::queued), kWaitingBytesPerSocket / kWaitingTrainBytes);
}

TEST_F(TrainTest, ABusyKernelIsNotAskedForEver) {
  kernel_.send_script.assign(1000, ENOBUFS);
  EXPECT_EQ(send({"a1"}), TrainSender::State::busy);
  EXPECT_EQ(send({"b1"}), TrainSender::State::blocked);
  for (unsigned i = 0; i < kBusyAttemptsMax; ++i) EXPECT_EQ(sender_.flush(socket_, now_), TrainSender::State::busy);
  EXPECT_EQ(sender_.flush(socket_, now_), TrainSender::State::busy) << "the next train has its own attempts";
  EXPECT_EQ(count(RelayCounter::drop_busy), 1u);
  kernel_.send_script.clear();
  EXPECT_EQ(sender_.flush(socket_, now_), TrainSender::State::idle);
  EXPECT_EQ(kernel_.reached, (std::vector<std::string>{"b1"}));
}

TEST_F(TrainTest, WithoutGsoEveryDatagramGoesAlone) {
  TrainSender single(counters_, kernel_, false);
  train_.clear();
  const std::string payload = "data";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(train_.append(route(), bytes_of(payload)));
  EXPECT_EQ(single.send(socket_, train_.view(), now_), TrainSender::State::idle);
  EXPECT_EQ(kernel_.attempts, "1:ok 1:ok 1:ok");
}

TEST(TrainOnARealSocket, WhatIsTooLargeForThePathLeavesInFragments) {
  io::in_network_namespace([] {
    io::set_interface_mtu("lo", 600);
    const auto from = RelaySocket::open({.family = Family::v4});
    const auto receiver = io::bind_udp({.family = Family::v4, .gro = false});
    ASSERT_TRUE(from.has_value() && receiver.has_value());
    Route route{.socket = from->get(), .to = *Endpoint::parse("127.0.0.1:1"), .channel = 0};
    route.to.port = receiver->port;

    Counters<RelayCounter> counters;
    TrainSender sender(counters, io::kernel_udp_syscalls(), true);
    const std::string payload(1000, 'x');
    // A train, and one that fits behind it.
    const std::vector<std::vector<std::size_t>> trains = {{1000, 1000, 50}, {20}};
    for (const auto& lengths : trains) {
      GatherTrain train;
      for (const std::size_t length : lengths) ASSERT_TRUE(train.append(route, bytes_of(payload).first(length)));
      EXPECT_EQ(sender.send(**from, train.view(), Instant{std::chrono::seconds(1)}), TrainSender::State::idle);
    }
    EXPECT_EQ(counters.get(RelayCounter::drop_too_big), 0U);
    for (const ssize_t length : {1000, 1000, 50, 20}) {
      std::array<char, 2048> buffer;
      EXPECT_EQ(::recv(receiver->fd.get(), buffer.data(), buffer.size(), 0), length);
    }
  });
}

}  // namespace
}  // namespace fireline::relay
