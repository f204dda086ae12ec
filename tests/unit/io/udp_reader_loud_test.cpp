// The reader of a port with a loud queue: what it reads when, and what a flood leaves to others on real sockets. Time
// is given; what the kernel does on the loopback is done when a send returns, or waits in the socket.
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "io/limits.h"
#include "io/readers.h"
#include "tests/unit/io/idle_port.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;
using packet::Sender;

constexpr std::size_t kDatagramBytes = 1200;
constexpr std::uint64_t kSeed = 7;  // by which no two of the senders here share a slot

// What outlives the port: io_uring keeps some of the pool's buffers.
struct Memory {
  Waker reader_waker;
  Waker packet_waker;
  BufferPool pool{"test", packet::kLargeBufferBytes, kUdpReadPoolBytes};
};

// A reader on this thread, and whoever takes its batches.
class Reading {
 public:
  Reading(UdpPort& port, Memory& memory)
      : channel(kInboundBatches, memory.reader_waker, memory.packet_waker),
        reader(channel, memory.pool, memory.reader_waker, kSeed) {
    reader.set_port(&port);
    reader.enter();
  }
  ~Reading() { reader.leave(); }

  // One turn of the reader behind a poll that does not wait.
  bool turn() {
    PollSet set;
    set.add(always_.get(), POLLIN, nullptr);
    reader.arm(set);
    set.sleep();
    return reader.turn(now);
  }
  // Hands each of at most `count` batches' trains to `visit`.
  template <class Visit>
  void take(std::size_t count, Visit visit) {
    for (; count != 0; --count) {
      packet::UdpBatch* const batch = channel.take();
      if (batch == nullptr) return;
      for (const auto& train : batch->datagrams) visit(train);
      channel.give_back(batch);
    }
  }

  Now now{.boot = Instant(1h), .wall = {}};
  Channel<packet::UdpBatch> channel;
  UdpReader reader;

 private:
  FileDescriptor always_{::eventfd(1, EFD_CLOEXEC)};
};

// Two queues of numbered datagrams, sorted as the kernel would.
class TwoQueues final : public IdlePort {
 public:
  using IdlePort::send;
  void send(const Endpoint& source, std::uint64_t number) {
    const bool is_loud = std::ranges::find(loud, Sender{source, 0}) != loud.end();
    (is_loud ? loud_queue : first_queue).push_back({source, number});
  }

  IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large) override {
    return read(first_queue, batch, large);
  }
  IoStatus receive_loud(packet::UdpBatch& batch, packet::BufferSource& large) override {
    return read(loud_queue, batch, large);
  }
  int loud_poll_fd() const noexcept override { return readable_.get(); }
  bool set_loud(std::span<const Sender> senders) noexcept override {
    if (refuses) return false;
    loud.assign(senders.begin(), senders.end());
    if (named) named();
    return true;
  }
  int poll_fd() const noexcept override { return readable_.get(); }

  struct Numbered {
    Endpoint source;
    std::uint64_t number = 0;
  };
  std::deque<Numbered> first_queue;
  std::deque<Numbered> loud_queue;
  std::vector<Sender> loud;
  std::function<void()> named;  // what happens right behind a new rule
  bool refuses = false;

 private:
  IoStatus read(std::deque<Numbered>& queue, packet::UdpBatch& batch, packet::BufferSource& large) {
    for (; !queue.empty(); queue.pop_front()) {
      if (batch.datagrams.size() == packet::kUdpBatchDatagrams) return IoStatus::done;
      if (batch.buffers.empty()) {
        batch.buffers.push_back(large.acquire());
        next_ = 0;
      }
      const Bytes bytes = batch.buffers.back().bytes().subspan(next_, 16);
      next_ += bytes.size();
      bytes[0] = packet::kTransportDataType;
      store_le64(bytes, 8, queue.front().number);
      batch.datagrams.push_back({.bytes = bytes,
                                 .segment_bytes = 16,
                                 .ecn = packet::Ecn::not_ect,
                                 .source = queue.front().source,
                                 .local = {}});
    }
    return IoStatus::would_block;
  }

  FileDescriptor readable_{::eventfd(1, EFD_CLOEXEC)};
  std::size_t next_ = 0;
};

const Endpoint kFlood = *Endpoint::parse("198.51.100.1:1");
const Endpoint kSecondFlood = *Endpoint::parse("198.51.100.3:3");
const Endpoint kQuiet = *Endpoint::parse("198.51.100.2:2");

struct Numbers {
  std::uint64_t sent = 0;
  std::uint64_t taken = 0;
  bool in_order = true;
  void take(const packet::ReceivedDatagrams& train) {
    in_order = in_order && load_le64(train.bytes, 8) == taken;
    ++taken;
  }
};

struct UdpReaderLoud : testing::Test {
  // Sends for `length`, `flood_per_ms` of the flood and one other; takes one batch of 64 a millisecond.
  void run(Duration length, std::size_t flood_per_ms) {
    for (const Instant end = reading.now.boot + length; reading.now.boot < end; reading.now.boot += 1ms) {
      for (std::size_t i = 0; i < flood_per_ms; ++i) port.send(kFlood, flood.sent++);
      port.send(kQuiet, quiet.sent++);
      static_cast<void>(reading.turn());
      static_cast<void>(reading.reader.turn(reading.now));
      take(1);
    }
  }
  void take(std::size_t batches) {
    reading.take(batches, [&](const auto& train) {
      if (train.source == kFlood) flood.take(train);
      if (train.source == kSecondFlood) second.take(train);
      if (train.source == kQuiet) quiet.take(train);
    });
  }

  Memory memory;
  TwoQueues port;
  Reading reading{port, memory};
  // A thousand others, none of them above a share, and together more than is taken.
  void send_others(std::size_t turn) {
    for (std::size_t i = 0; i < 70; ++i) {
      port.send({.address = kQuiet.address, .port = static_cast<std::uint16_t>(10'000 + (70 * turn + i) % 1000)}, 0);
    }
  }

  Numbers flood;
  Numbers second;
  Numbers quiet;
};

TEST_F(UdpReaderLoud, ASenderKeepsItsOrderIntoTheLoudQueueAndOutOfIt) {
  run(100ms, 126);
  EXPECT_EQ(port.loud, (std::vector<Sender>{{kFlood, 0}})) << "twice what is taken";
  EXPECT_GT(port.loud_queue.size(), 0U);
  run(3s, 10);
  EXPECT_TRUE(port.loud.empty()) << "below the capacity nobody is loud";
  EXPECT_TRUE(port.loud_queue.empty());
  run(100ms, 126);
  EXPECT_FALSE(port.loud.empty()) << "again";
  run(3s, 0);
  take(kInboundBatches);
  EXPECT_TRUE(flood.in_order);
  EXPECT_TRUE(quiet.in_order);
  EXPECT_EQ(flood.taken, flood.sent) << "these queues are endless";
  EXPECT_EQ(quiet.taken, quiet.sent);
  EXPECT_EQ(reading.reader.counters().get(UdpReaderCounter::loud_senders), 2U);
  EXPECT_EQ(reading.reader.counters().get(UdpReaderCounter::drop_unfair_share), 0U);
}

TEST_F(UdpReaderLoud, OthersGoBeforeTheLoudThoughNoPollToldOfThem) {
  run(100ms, 126);
  reading.take(kInboundBatches, [](const auto&) {});
  ASSERT_TRUE(reading.reader.turn(reading.now)) << "with nothing but the loud: the first queue is known to be empty";
  port.send(kQuiet, quiet.sent++);
  ASSERT_TRUE(reading.reader.turn(reading.now));
  reading.take(1, [](const auto& train) { ASSERT_EQ(train.source, kFlood); });
  std::vector<Endpoint> sources;
  reading.take(1, [&](const auto& train) { sources.push_back(train.source); });
  ASSERT_FALSE(sources.empty());
  EXPECT_EQ(sources.front(), kQuiet);
  EXPECT_EQ(sources.back(), kFlood);
}

TEST_F(UdpReaderLoud, TheLoudGetTheirTurnWhenTheOthersAloneAreTooMany) {
  run(100ms, 126);
  ASSERT_FALSE(port.loud.empty());
  const auto before = flood.taken;
  constexpr std::size_t kTurns = 1000;
  for (std::size_t turn = 0; turn < kTurns; ++turn, reading.now.boot += 1ms) {
    send_others(turn);
    static_cast<void>(reading.turn());
    reading.take(1, [&](const auto& train) {
      if (train.source == kFlood) flood.take(train);
    });
  }
  EXPECT_GE(flood.taken - before, kTurns / (2 * UdpReader::kLoudTurns) * packet::kUdpBatchDatagrams);
  EXPECT_TRUE(flood.in_order);
}

// At every distance of the turn that names it from the loud's next turn.
TEST_F(UdpReaderLoud, ASenderNamedInATurnOfTheLoudKeepsItsOrder) {
  const Sender sender{kSecondFlood, 0};
  port.named = [&] {
    if (std::ranges::find(port.loud, sender) != port.loud.end()) port.send(kSecondFlood, second.sent++);
  };
  for (std::size_t distance = 0; distance <= UdpReader::kLoudTurns; ++distance) {
    SCOPED_TRACE(distance);
    run(100ms, 126);
    run(200ms, 0);
    ASSERT_EQ(port.loud, (std::vector<Sender>{{kFlood, 0}}));
    ASSERT_TRUE(port.loud_queue.empty()) << "nothing holds up what comes into it";
    for (std::size_t turn = 0; turn < 100 && port.loud.size() == 1; ++turn) {
      send_others(turn);
      for (int i = 0; i < 40; ++i) port.send(kSecondFlood, second.sent++);
      static_cast<void>(reading.turn());
      take(1);
      if (turn >= distance) reading.now.boot += 1ms;
    }
    ASSERT_EQ(port.loud.size(), 2U);
    run(3s, 0);
    take(kInboundBatches);
    ASSERT_TRUE(port.loud.empty());
    EXPECT_TRUE(second.in_order);
    EXPECT_TRUE(flood.in_order);
    ASSERT_EQ(second.taken, second.sent);
  }
}

TEST_F(UdpReaderLoud, WhereTheKernelRefusesTheRuleTheReaderDrops) {
  port.refuses = true;
  run(1s, 126);
  EXPECT_GT(reading.reader.counters().get(UdpReaderCounter::drop_unfair_share), 0U);
  EXPECT_TRUE(quiet.in_order) << "the quiet one loses nothing";
}

class UdpReaderLoudOn : public OnEachUdpBackend {};
FIRELINE_ON_EACH_UDP_BACKEND(UdpReaderLoudOn);

// A flood of four times what is taken, through the kernel's own queues.
TEST_P(UdpReaderLoudOn, AFloodTakesNothingFromOthers) {
  in_network_namespace([io = GetParam()] {
    Memory memory;
    const auto port = open_port(
        io, {.family = Family::v4, .receive_buffer_bytes = std::size_t{4} << 20, .gro = false, .loud_queue = true});
    const auto flooder = open_port(io, {.family = Family::v4});
    const auto other = open_port(io, {.family = Family::v4});
    ASSERT_TRUE(port && flooder && other);
    Reading reading(*port, memory);
    struct Count {
      std::uint64_t sent = 0;
      std::uint64_t taken = 0;
    } flood, quiet;
    std::vector<std::byte> datagram(kDatagramBytes);
    datagram[0] = packet::kTransportDataType;
    const auto send = [&](UdpPort& from, Count& count) {
      packet::UdpSendBatch out;
      out.trains.push_back(train_of(datagram, kDatagramBytes, loopback(Family::v4, port->port())));
      SendCursor cursor;
      ASSERT_EQ(from.send(out, cursor, kNow), IoStatus::done);
      ++count.sent;
    };
    const auto count_taken = [&](const packet::ReceivedDatagrams& train) {
      (train.source.port == flooder->port() ? flood : quiet).taken += train.count();
    };
    for (int i = 0; i < 200; ++i, reading.now.boot += 1ms) {
      for (std::size_t n = 0; n < 4 * packet::kUdpBatchDatagrams; ++n) send(*flooder, flood);
      send(*other, quiet);
      static_cast<void>(reading.turn());
      reading.take(1, count_taken);
    }
    // To the end of both queues; the kernel's counts travel with the next datagram.
    for (int i = 0; i < 20; ++i, reading.now.boot += 1ms) {
      send(*flooder, flood);
      send(*other, quiet);
      for (std::size_t n = 0; n < 50; ++n) {
        static_cast<void>(reading.turn());
        reading.take(kInboundBatches, count_taken);
      }
    }
    const auto& counted = port->receive_counters();
    EXPECT_EQ(quiet.taken, quiet.sent) << "the flood pays alone";
    EXPECT_LT(flood.taken, flood.sent);
    EXPECT_EQ(flood.taken + quiet.taken + counted.get(UdpReceiveCounter::kernel_drops) +
                  counted.get(UdpReceiveCounter::loud_drops) +
                  reading.reader.counters().get(UdpReaderCounter::drop_unfair_share),
              flood.sent + quiet.sent)
        << "each was taken or is counted";
    EXPECT_GT(counted.get(UdpReceiveCounter::loud_drops), 0U);
    EXPECT_EQ(reading.reader.counters().get(UdpReaderCounter::loud_senders), 1U);
  });
}

}  // namespace
}  // namespace fireline::io
