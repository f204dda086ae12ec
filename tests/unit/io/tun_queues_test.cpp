// Rounds over pipes, which know what is in them; then a real TUN device, whose kernel spreads the flows.
#include "io/tun_queues.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "tests/unit/io/heap_buffers.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/running_tun.h"

namespace fireline::io {
namespace {

// As many pipes as queues; a byte in one is a packet of a whole round.
class Pipes {
 public:
  explicit Pipes(std::size_t count) : queues_(make(count)) {
    for (std::size_t i = 1; i < count; ++i) EXPECT_FALSE(queues_.add(std::move(readers_[i])).has_value());
  }
  TunQueues& queues() noexcept { return queues_; }
  void fill(std::size_t queue, std::size_t packets) {
    const std::string bytes(packets, 'x');
    EXPECT_EQ(::write(writers_[queue].get(), bytes.data(), bytes.size()), static_cast<ssize_t>(packets));
  }
  // One turn of at most `packets`: the queues in the order in which they were read.
  std::vector<int> turn(std::size_t packets) {
    std::vector<int> order;
    queues_.begin();
    while (queues_.current() >= 0 && order.size() < packets) {
      char byte = 0;
      if (::read(queues_.current(), &byte, 1) == 1) {
        order.push_back(place_of(queues_.current()));
        queues_.took(kTunRoundBytes);
      } else {
        queues_.drained();
      }
    }
    return order;
  }

 private:
  FileDescriptor make(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::array<int, 2> ends{};
      EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
      numbers_.push_back(ends[0]);
      readers_.emplace_back(ends[0]);
      writers_.emplace_back(ends[1]);
    }
    return std::move(readers_[0]);
  }
  int place_of(int fd) const {
    return static_cast<int>(std::find(numbers_.begin(), numbers_.end(), fd) - numbers_.begin());
  }

  std::vector<int> numbers_;
  std::vector<FileDescriptor> readers_;
  std::vector<FileDescriptor> writers_;
  TunQueues queues_;
};

using Order = std::vector<int>;

TEST(TunQueues, OneQueueIsReadUntilItIsEmpty) {
  Pipes pipes(1);
  pipes.fill(0, 3);
  EXPECT_EQ(pipes.turn(2), Order({0, 0}));
  EXPECT_EQ(pipes.turn(9), Order({0}));
  EXPECT_EQ(pipes.turn(9), Order());
}

TEST(TunQueues, EachHasItsRound) {
  Pipes pipes(4);
  pipes.fill(1, 4);
  pipes.fill(3, 2);
  EXPECT_EQ(pipes.turn(9), Order({1, 3, 1, 3, 1, 1}));
  EXPECT_EQ(pipes.turn(9), Order());
}

TEST(TunQueues, WhatWasEmptyGoesFirst) {
  Pipes pipes(4);
  pipes.fill(0, 20);
  pipes.fill(1, 20);
  EXPECT_EQ(pipes.turn(4), Order({0, 1, 0, 1}));
  pipes.fill(3, 1);
  EXPECT_EQ(pipes.turn(4), Order({3, 0, 1, 0}));
}

TEST(TunQueues, ATurnThatEndsEarlyIsGoneOnWith) {
  Pipes pipes(4);
  for (std::size_t queue = 0; queue < 3; ++queue) pipes.fill(queue, 20);
  EXPECT_EQ(pipes.turn(2), Order({0, 1}));
  pipes.fill(3, 20);  // a new one each turn must not keep the third waiting
  EXPECT_EQ(pipes.turn(2), Order({2, 3}));
  EXPECT_EQ(pipes.turn(2), Order({0, 1}));
}

TEST(TunQueues, SmallPacketsShareARound) {
  Pipes pipes(2);
  pipes.fill(0, 10);
  pipes.fill(1, 10);
  pipes.queues().begin();
  const int first = pipes.queues().current();
  for (std::size_t taken = 0; taken + 1400 < kTunRoundBytes; taken += 1400) {
    EXPECT_EQ(pipes.queues().current(), first);
    pipes.queues().took(1400);
  }
  pipes.queues().took(1400);
  EXPECT_NE(pipes.queues().current(), first);
}

TEST(TunQueues, ThereIsAMost) {
  Pipes pipes(kTunQueuesMax);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const FileDescriptor writer(ends[1]);
  EXPECT_TRUE(pipes.queues().add(FileDescriptor(ends[0])).has_value());
  EXPECT_EQ(pipes.queues().size(), kTunQueuesMax);
}

// A flow: a socket with a port of its own. Sends its number and a count.
class Flow {
 public:
  explicit Flow(std::uint8_t number) : number_(number), socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {}
  void send(std::size_t bytes = 1200) {
    std::vector<std::uint8_t> payload(bytes, number_);
    payload[1] = next_++;
    send_into_tun(socket_.get(), payload);
  }

 private:
  std::uint8_t number_;
  FileDescriptor socket_;
  std::uint8_t next_ = 0;
};

bool is_of_a_flow(const packet::TunPacket& packet) noexcept {
  return (load_u8(packet.bytes, 0) >> 4U) == 4 && load_u8(packet.bytes, 9) == IPPROTO_UDP;
}

// Flows of which the first turn brings something, when 200 packets of another were there before them.
std::size_t flows_in_first_turn(unsigned queues) {
  const auto tun = running_tun("fltest0", "10.7.0.1", {.queues = queues});
  if (!tun) return 0;
  Flow bulk(0);
  for (int i = 0; i < 200; ++i) bulk.send();
  for (std::uint8_t number = 1; number <= 20; ++number) Flow(number).send(64);
  HeapBuffers pool;
  packet::TunBatch batch;
  EXPECT_EQ(tun->read(batch, pool), IoStatus::done);
  std::size_t flows = 0;
  for (const auto& packet : batch.packets) {
    if (is_of_a_flow(packet) && load_u8(packet.bytes, 28) != 0) ++flows;
  }
  return flows;
}

TEST(TunDeviceQueues, AFlowOfFewPacketsDoesNotWaitBehindOneOfMany) {
  in_network_namespace([] {
    EXPECT_EQ(flows_in_first_turn(1), 0U) << "one queue is read in its order";
    // Of twenty flows two or three share the bulk's queue; that all do is one case in 10^18.
    EXPECT_GE(flows_in_first_turn(kTunQueues), 1U);
  });
}

// An answer of the flow whose packet this is: addresses and ports swapped.
std::vector<std::byte> answer_to(ConstBytes packet) {
  std::vector<std::byte> answer(packet.begin(), packet.end());
  std::swap_ranges(answer.begin() + 12, answer.begin() + 16, answer.begin() + 16);
  std::swap_ranges(answer.begin() + 20, answer.begin() + 22, answer.begin() + 22);
  return answer;
}

TEST(TunDeviceQueues, AnswersMoveNoFlowToAnotherQueue) {
  in_network_namespace([] {
    const auto tun = running_tun("fltest0", "10.7.0.1");
    ASSERT_TRUE(tun);
    std::vector<Flow> flows;
    for (std::uint8_t number = 0; number < 20; ++number) flows.emplace_back(number);
    std::array<std::uint8_t, 20> next{};
    for (int round = 0; round < 20; ++round) {
      // Some wait in their queue while the answers to the others are written.
      for (int i = 0; i < 8; ++i) {
        for (Flow& flow : flows) flow.send(64);
      }
      HeapBuffers pool;
      for (packet::TunBatch batch; tun->read(batch, pool) == IoStatus::done || !batch.empty(); batch.clear()) {
        for (const auto& packet : batch.packets) {
          if (!is_of_a_flow(packet)) continue;
          const std::uint8_t number = load_u8(packet.bytes, 28);
          EXPECT_EQ(load_u8(packet.bytes, 29), next.at(number)++) << "flow " << int{number};
          const auto answer = answer_to(packet.bytes);
          packet::TunWriteBatch answers;
          answers.slices.emplace_back(answer);
          answers.packets.push_back({.first_slice = 0, .slice_count = 1, .offload = {}, .header_bytes = 0});
          TunCursor cursor;
          EXPECT_EQ(tun->write(answers, cursor), IoStatus::done);
        }
      }
    }
    for (std::size_t number = 0; number < flows.size(); ++number) EXPECT_EQ(next.at(number), 160) << number;
  });
}

TEST(TunDeviceQueues, ASecondHolderIsRefused) {
  in_network_namespace([] {
    const auto first = TunDevice::open("fltest0");
    ASSERT_TRUE(first.has_value());
    const auto second = TunDevice::open("fltest0");
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().to_string().find("another program holds"), std::string::npos)
        << second.error().to_string();
  });
}

}  // namespace
}  // namespace fireline::io
