// Chains of linked sends: what goes, what does not, and that nothing goes twice. Unix sockets where a full queue is
// needed: the loopback's UDP never says EAGAIN.
#include "io/send_ring.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "core/base/wire.h"
#include "io/datagram_sender.h"
#include "io/socket_address.h"
#include "io/udp_bind.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

// Messages that carry their number, each to a destination of its own.
struct Messages {
  explicit Messages(std::size_t count, std::uint32_t first = 0)
      : numbers(count), vectors(count), destinations(count), headers(count) {
    std::iota(numbers.begin(), numbers.end(), first);
    for (std::size_t i = 0; i < count; ++i) {
      vectors[i] = {.iov_base = &numbers[i], .iov_len = sizeof numbers[i]};
      headers[i].msg_iov = &vectors[i];
      headers[i].msg_iovlen = 1;
    }
  }
  void send_to(std::size_t i, const char* destination, std::uint16_t port) {
    Endpoint endpoint{.address = *IpAddress::parse(destination), .port = port, .scope = 0};
    destinations[i] = to_socket_address(endpoint);
    headers[i].msg_name = destinations[i].get();
    headers[i].msg_namelen = destinations[i].length;
  }

  std::vector<std::uint32_t> numbers;
  std::vector<iovec> vectors;
  std::vector<SocketAddress> destinations;
  std::vector<msghdr> headers;
};

std::vector<std::uint32_t> read_numbers(int fd) {
  std::vector<std::uint32_t> numbers;
  std::uint32_t number = 0;
  while (::recv(fd, &number, sizeof number, MSG_DONTWAIT) == static_cast<ssize_t>(sizeof number)) {
    numbers.push_back(number);
  }
  return numbers;
}

class SendRingTest : public testing::Test {
 protected:
  void SetUp() override {
    auto ring = SendRing::open();
    if (!ring.has_value()) GTEST_SKIP() << ring.error().to_string();
    ring_ = std::move(*ring);
  }
  std::unique_ptr<SendRing> ring_;
};

TEST_F(SendRingTest, AChainEndsAtItsFirstFailure) {
  struct Row {
    const char* rule;
    std::size_t messages;
    std::vector<std::size_t> unreachable;
    std::size_t sent;
    int code;
  };
  const std::vector<Row> rows = {
      {"all go, in order", SendRing::kChainMessages, {}, SendRing::kChainMessages, 0},
      {"a chain of two", 2, {}, 2, 0},
      {"a chain of one is a plain call", 1, {}, 1, 0},
      {"a chain of one that fails", 1, {0}, 0, ENETUNREACH},
      {"the first fails: none of the rest goes", 5, {0}, 0, ENETUNREACH},
      {"one in the middle fails: what is before has gone, what is behind has not", 9, {4}, 4, ENETUNREACH},
      {"the last fails", 6, {5}, 5, ENETUNREACH},
      {"only the first failure is told", 8, {3, 5}, 3, ENETUNREACH},
  };
  in_network_namespace([&] {
    const auto receiver = open_port(UdpIo::syscall, {.family = Family::v4});
    const auto sender = open_port(UdpIo::syscall, {.family = Family::v4});
    ASSERT_TRUE(receiver && sender);
    for (const Row& row : rows) {
      SCOPED_TRACE(row.rule);
      Messages messages(row.messages);
      for (std::size_t i = 0; i < row.messages; ++i) messages.send_to(i, "127.0.0.1", receiver->port());
      for (const std::size_t i : row.unreachable) messages.send_to(i, "192.0.2.1", 9);
      const auto result = ring_->send_chain(sender->send_fd(), messages.headers, kFlags);
      EXPECT_EQ(result.sent, row.sent);
      EXPECT_EQ(result.code, row.code);
      EXPECT_EQ(
          read_numbers(receiver->send_fd()),
          std::vector(messages.numbers.begin(), messages.numbers.begin() + static_cast<std::ptrdiff_t>(row.sent)));
    }
  });
}

TEST_F(SendRingTest, AFullQueueCancelsTheTailWhichThenGoesOnceAndInOrder) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  const FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  constexpr std::uint32_t kNumbers = 5000;
  std::vector<std::uint32_t> arrived;
  std::size_t cut = 0;
  for (std::uint32_t next = 0; next < kNumbers;) {
    Messages messages(std::min<std::size_t>(SendRing::kChainMessages, kNumbers - next), next);
    const auto result = ring_->send_chain(ours.get(), messages.headers, kFlags);
    next += static_cast<std::uint32_t>(result.sent);
    if (result.code == 0) continue;
    ASSERT_EQ(result.code, EAGAIN);
    if (result.sent != 0) ++cut;
    // A part of what is queued, so that the next chain is cut at another place.
    for (std::uint32_t i = 0; i < 1 + next % 7; ++i) {
      std::uint32_t number = 0;
      if (::recv(theirs.get(), &number, sizeof number, MSG_DONTWAIT) > 0) arrived.push_back(number);
    }
  }
  const auto rest = read_numbers(theirs.get());
  arrived.insert(arrived.end(), rest.begin(), rest.end());
  EXPECT_GT(cut, 0U) << "no chain was cut: this proves nothing";
  EXPECT_EQ(arrived, Messages(kNumbers).numbers);
}

// The kernel itself refuses a train of over 128 segments (64 before 6.9) with EINVAL, here in the middle of a chain:
// what is before it has gone, the rest of it goes in shorter trains, what is behind it after that.
TEST_F(SendRingTest, ARefusedTrainInTheMiddleOfAChainGoesInSmallerOnes) {
  in_network_namespace([&] {
    HeapBuffers pool;
    const auto receiver = open_port(UdpIo::syscall, {.family = Family::v4});
    const auto bound = bind_udp({.family = Family::v4});
    ASSERT_TRUE(receiver && bound.has_value());
    constexpr std::size_t kSegmentsTried = 200;
    DatagramSender sender(bound->fd.get(), Family::v4, kSegmentsTried, *ring_, SendRing::kChainMessages);
    packet::UdpSendBatch batch;
    std::vector<std::vector<std::byte>> memory;
    std::uint32_t number = 0;
    for (const std::size_t datagrams : {3U, 1U, 200U, 2U, 5U}) {
      memory.emplace_back(datagrams * 32);
      for (std::size_t i = 0; i < datagrams; ++i) store_le32(Bytes(memory.back()), i * 32, number++);
    }
    for (auto& each : memory) batch.trains.push_back(train_of(each, 32, loopback(Family::v4, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender.send(batch, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender.counters().get(UdpSendCounter::gso_refused), 1U);
    EXPECT_EQ(sender.counters().get(UdpSendCounter::datagrams), number);
    EXPECT_EQ(sender.gso().segments_max(), packet::kTrainSegments);
    EXPECT_EQ(sender.gso().refused_paths(), 0U);
    std::uint32_t next = 0;
    while (next < number) {
      packet::UdpBatch in;
      if (receive_next(*receiver, in, pool) == IoStatus::closed) break;
      for (const auto& each : in.datagrams) {
        for (std::size_t at = 0; at < each.bytes.size(); at += 32) EXPECT_EQ(load_le32(each.bytes, at), next++);
      }
    }
    EXPECT_EQ(next, number);
  });
}

// As an outbox hands over: the packet thread writes, then the writer's, then the packet thread again.
TEST_F(SendRingTest, TheSendingThreadMayChange) {
  in_network_namespace([&] {
    const auto receiver = open_port(UdpIo::syscall, {.family = Family::v4});
    const auto sender = open_port(UdpIo::syscall, {.family = Family::v4});
    ASSERT_TRUE(receiver && sender);
    for (std::uint32_t round = 0; round < 50; ++round) {
      Messages messages(4, round * 4);
      for (std::size_t i = 0; i < 4; ++i) messages.send_to(i, "127.0.0.1", receiver->port());
      const auto send = [&] {
        const auto result = ring_->send_chain(sender->send_fd(), messages.headers, kFlags);
        EXPECT_EQ(result.sent, 4U);
        EXPECT_EQ(result.code, 0);
      };
      if (round % 2 == 0) {
        send();
      } else {
        std::thread(send).join();
      }
    }
    EXPECT_EQ(read_numbers(receiver->send_fd()), Messages(200).numbers);
  });
}

TEST_F(SendRingTest, WhatFailedAChainIsTold) {
  struct Row {
    const char* rule;
    std::vector<int> results;
    std::size_t sent;
    int code;
  };
  const std::vector<Row> rows = {
      {"all went", {4, 4, 4}, 3, 0},
      {"what is behind a failed one was cancelled", {4, -EAGAIN, -ECANCELED}, 1, EAGAIN},
      {"one that could not be prepared failed all before any was tried", {-ECANCELED, -ENOMEM, -ECANCELED}, 0, ENOMEM},
      {"all were cancelled, and nobody says why", {-ECANCELED, -ECANCELED}, 0, ENOBUFS},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto result = SendRing::result_of(row.results);
    EXPECT_EQ(result.sent, row.sent);
    EXPECT_EQ(result.code, row.code);
  }
}

TEST_F(SendRingTest, AClosedSocketIsTold) {
  Messages messages(3);
  const auto result = ring_->send_chain(-1, messages.headers, kFlags);
  EXPECT_EQ(result.sent, 0U);
  EXPECT_EQ(result.code, EBADF);
}

}  // namespace
}  // namespace fireline::io
