// The reader of a socket that gets more than its thread hands on: what is dropped, and that it is counted.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "io/limits.h"
#include "io/readers.h"
#include "io/socket_address.h"
#include "tests/unit/io/idle_port.h"
#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kDatagramBytes = 1200;

// Each call gives a train of the loud sender, and every sixteenth a datagram of the quiet one.
class FullSocket final : public IdlePort {
 public:
  IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large) override {
    batch.buffers.push_back(large.acquire());
    const Bytes bytes = batch.buffers.back().bytes();
    bytes[0] = std::byte{4};
    add(batch, bytes.first(8 * kDatagramBytes), loud);
    given += 8;
    if (calls_++ % 16 == 0) {
      add(batch, bytes.first(kDatagramBytes), quiet);
      ++given;
      ++given_of_quiet;
    }
    if (overflows) counters_.add(UdpReceiveCounter::kernel_drops);
    return empty ? IoStatus::would_block : IoStatus::done;
  }

  Endpoint loud = *Endpoint::parse("198.51.100.1:1");
  Endpoint quiet = *Endpoint::parse("198.51.100.2:2");
  bool empty = false;
  bool overflows = false;
  std::uint64_t given = 0;
  std::uint64_t given_of_quiet = 0;

 private:
  void add(packet::UdpBatch& batch, Bytes bytes, const Endpoint& source) {
    batch.datagrams.push_back(
        {.bytes = bytes, .segment_bytes = kDatagramBytes, .ecn = packet::Ecn::not_ect, .source = source, .local = {}});
  }
  unsigned calls_ = 0;
};

constexpr std::uint64_t kSeed = 7;  // by which the loud and the quiet sender share no slot

struct Row {
  const char* rule;
  bool empty;      // the socket, after each call
  bool overflows;  // in the kernel
  bool alone;      // there is no other sender
  bool drops;
};

TEST(UdpReader, DropsTheLoudestSendersShareAndCountsIt) {
  const Row rows[] = {
      {"whoever keeps up drops nothing", true, false, false, false},
      {"a socket that is never empty costs the loud sender", false, false, false, true},
      {"one sender alone is left in peace", false, false, true, false},
      {"unless the socket overflows", false, true, true, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    Waker reader_waker;
    Waker packet_waker;
    BufferPool pool("test", packet::kLargeBufferBytes, kUdpReadPoolBytes);
    Channel<packet::UdpBatch> channel(kInboundBatches, reader_waker, packet_waker);
    FullSocket socket;
    socket.empty = row.empty;
    socket.overflows = row.overflows;
    if (row.alone) socket.quiet = socket.loud;
    UdpReader reader(channel, pool, reader_waker, kSeed);
    reader.set_port(&socket);
    reader.enter();
    std::uint64_t handed_on = 0;
    std::uint64_t of_quiet = 0;
    Now now{.boot = Instant(1h), .wall = {}};
    for (int turn = 0; turn < 5000; ++turn, now.boot += 100us) {
      if (row.empty) reader.set_port(&socket);  // readable again
      ASSERT_TRUE(reader.turn(now));
      while (packet::UdpBatch* const batch = channel.take()) {
        for (const auto& train : batch->datagrams) {
          handed_on += train.count();
          of_quiet += train.source == socket.quiet ? train.count() : 0;
        }
        channel.give_back(batch);
      }
    }
    const auto dropped = reader.counters().get(UdpReaderCounter::drop_unfair_share);
    EXPECT_EQ(socket.given, handed_on + dropped) << "each is handed on or counted";
    EXPECT_EQ(dropped > 0, row.drops);
    if (!row.alone) {
      EXPECT_EQ(of_quiet, socket.given_of_quiet) << "the quiet one loses nothing";
    }
    reader.leave();
  }
}

class UdpReaderOn : public OnEachUdpBackend {};
FIRELINE_ON_EACH_UDP_BACKEND(UdpReaderOn);

// More than one turn looks at, none of which is handed on: the reader must not sleep with the datagram behind them.
TEST_P(UdpReaderOn, EmptyDatagramsHideNoneBehindThem) {
  in_network_namespace([io = GetParam()] {
    Waker reader_waker;
    Waker packet_waker;
    BufferPool pool("test", packet::kLargeBufferBytes, kUdpReadPoolBytes);
    Channel<packet::UdpBatch> channel(kInboundBatches, reader_waker, packet_waker);
    const auto port = open_port(io, {.family = Family::v4, .receive_buffer_bytes = std::size_t{1} << 20});
    const FileDescriptor sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(port);
    const auto address = to_socket_address(loopback(Family::v4, port->port()));
    UdpReader reader(channel, pool, reader_waker);
    reader.set_port(port.get());
    reader.enter();
    for (int i = 0; i < 300; ++i) ASSERT_EQ(::sendto(sender.get(), "", 0, 0, address.get(), address.length), 0);
    ASSERT_EQ(::sendto(sender.get(), "a", 1, 0, address.get(), address.length), 1);
    const Now now{.boot = Instant(1h), .wall = {}};
    packet::UdpBatch* batch = nullptr;
    while (batch == nullptr) {
      while (reader.turn(now)) {
      }
      batch = channel.take();
      pollfd poll{.fd = port->poll_fd(), .events = POLLIN, .revents = 0};
      ASSERT_TRUE(batch != nullptr || ::poll(&poll, 1, 0) == 1)
          << "asleep after " << port->receive_counters().get(UdpReceiveCounter::empty);
    }
    EXPECT_EQ(batch->datagrams.size(), 1U);
    EXPECT_EQ(port->receive_counters().get(UdpReceiveCounter::empty), 300U);
    channel.give_back(batch);
    reader.leave();
  });
}

}  // namespace
}  // namespace fireline::io
