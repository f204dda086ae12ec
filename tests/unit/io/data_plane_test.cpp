// The threads around an engine that only passes on: what goes in at the TUN comes out at the sockets, whole, once and
// in order, in every thread mode, while devices are slow; and everything stops from any state.
#include "io/data_plane.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <tuple>

#include "io/limits.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;

// A TUN whose other end is in the test: a pair of packet sockets with the kernel's own limits.
class SocketTun final : public TunPort {
 public:
  SocketTun() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    ours_ = FileDescriptor(fds[0]);
    host_ = FileDescriptor(fds[1]);
  }
  [[nodiscard]] int host() const noexcept { return host_.get(); }
  void remove() noexcept { host_.reset(); }

  IoStatus read(packet::TunBatch& batch, packet::BufferSource& large) override {
    while (batch.packets.size() < packet::kTunBatchPackets && batch.buffers.size() < packet::kTunBatchBuffers) {
      packet::Buffer buffer = large.acquire();
      if (!buffer) return IoStatus::done;
      const auto got = ::recv(ours_.get(), buffer.data(), buffer.capacity(), 0);
      if (got == 0) return IoStatus::closed;
      if (got < 0) return IoStatus::would_block;
      batch.packets.push_back({buffer.bytes().first(static_cast<std::size_t>(got)), {}});
      batch.buffers.push_back(std::move(buffer));
    }
    return IoStatus::done;
  }
  IoStatus write(const packet::TunWriteBatch& batch, TunCursor& cursor) override {
    for (; cursor.packet < batch.packets.size(); ++cursor.packet) {
      const auto& slice = batch.slices[batch.packets[cursor.packet].first_slice];
      if (::send(ours_.get(), slice.data(), slice.size(), MSG_NOSIGNAL) < 0 && errno == EAGAIN) {
        return IoStatus::would_block;
      }
    }
    return IoStatus::done;
  }
  bool coalescing_allowed() const noexcept override { return coalescing.load(); }
  std::atomic<bool> coalescing{true};
  int poll_fd() const noexcept override { return ours_.get(); }
  const Counters<TunReadCounter>& read_counters() const noexcept override { return read_; }
  const Counters<TunWriteCounter>& write_counters() const noexcept override { return write_; }

 private:
  FileDescriptor ours_;
  FileDescriptor host_;
  Counters<TunReadCounter> read_;
  Counters<TunWriteCounter> write_;
};

// Passes TUN packets to one destination and datagrams to the TUN, without a cipher.
class PassOn final : public packet::Engine {
 public:
  explicit PassOn(Endpoint destination) : destination_(destination) {}

  struct Passed final : packet::Work {
    packet::TunBatch tun;
    packet::UdpBatch udp;
  };
  std::unique_ptr<packet::Work> make_work() override { return std::make_unique<Passed>(); }
  void plan(Now, packet::TunBatch& batch, packet::Work& work) override {
    std::swap(static_cast<Passed&>(work).tun, batch);
  }
  void plan(Now, packet::UdpBatch& batch, packet::Work& work) override {
    std::swap(static_cast<Passed&>(work).udp, batch);
  }
  void commit(Now, packet::Work& work, packet::Output& output) override {
    auto& passed = static_cast<Passed&>(work);
    for (const auto& packet : passed.tun.packets) {
      output.udp4.trains.push_back(
          {packet.bytes, static_cast<std::uint16_t>(packet.bytes.size()), packet::Ecn::not_ect, destination_, {}});
    }
    move_buffers(passed.tun.buffers, output.udp4.buffers);
    for (const auto& received : passed.udp.datagrams) {
      for (std::size_t at = 0; at < received.bytes.size(); at += received.segment_bytes) {
        const auto size = std::min<std::size_t>(received.segment_bytes, received.bytes.size() - at);
        output.tun.packets.push_back({static_cast<std::uint32_t>(output.tun.slices.size()), 1, {}, 0});
        output.tun.slices.push_back(received.bytes.subspan(at, size));
      }
    }
    move_buffers(passed.udp.buffers, output.tun.buffers);
    passed.tun.clear();
    passed.udp.clear();
  }
  bool step_handshake(Now, packet::Output&) override { return false; }
  std::optional<Instant> poll_timeout() const override { return std::nullopt; }
  void handle_timeout(Now, packet::Output&) override {}
  void stop_merging() override { merging_stopped = true; }
  std::atomic<bool> merging_stopped{false};

 private:
  static void move_buffers(std::vector<packet::Buffer>& from, std::vector<packet::Buffer>& to) {
    for (auto& buffer : from) to.push_back(std::move(buffer));
    from.clear();
  }
  Endpoint destination_;
};

// PassOn plans no jobs.
class NoCipher final : public crypto::Aead {
 public:
  void seal(std::span<crypto::AeadJob> jobs) noexcept override { EXPECT_TRUE(jobs.empty()); }
  void open(std::span<crypto::AeadJob> jobs) noexcept override { EXPECT_TRUE(jobs.empty()); }
  crypto::AeadBackend backend() const noexcept override { return crypto::AeadBackend::libsodium; }
};

// A plain socket of the test on loopback.
class TestSocket {
 public:
  TestSocket() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0) std::abort();
    socklen_t length = sizeof address_;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address_), &length);
    const timeval limit{10, 0};  // a lost packet fails the test instead of hanging it
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  [[nodiscard]] Endpoint endpoint() const {
    Endpoint endpoint = *Endpoint::parse("127.0.0.1:0");
    endpoint.port = ntohs(address_.sin_port);
    return endpoint;
  }
  [[nodiscard]] bool receive_number(std::uint32_t& number) const {
    for (;;) {
      const auto got = ::recv(fd_.get(), &number, sizeof number, 0);
      if (got < 0 && errno == EINTR) continue;  // io/uring.h: a ring of this thread's is going
      return got == sizeof number;
    }
  }
  void send_number(std::uint32_t number, std::uint16_t port) const {
    sockaddr_in to = address_;
    to.sin_port = htons(port);
    ::sendto(fd_.get(), &number, sizeof number, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }

 private:
  FileDescriptor fd_;
  sockaddr_in address_{};
};

class DataPlaneModes : public testing::TestWithParam<std::tuple<ThreadMode, UdpIo>> {
 protected:
  void SetUp() override {
    const UdpIo io = std::get<1>(GetParam());
    if (const std::string why = missing_backend(io); !why.empty()) GTEST_SKIP() << why;
    auto socket = open_port(io, {.family = Family::v4, .address = IpAddress::parse("127.0.0.1")});
    ASSERT_TRUE(socket);
    plane_.set_ports(std::move(socket), nullptr);
  }

  TestSocket peer_;
  SocketTun tun_;
  PassOn engine_{peer_.endpoint()};
  NoCipher aead_;
  DataPlane plane_{engine_, aead_, tun_, {}, {std::get<0>(GetParam())}};
};

TEST_P(DataPlaneModes, PacketsPassWholeOnceAndInOrderBothWays) {
  constexpr std::uint32_t kNumbers = 20000;
  constexpr std::uint32_t kWindow = 64;  // in flight at most, so that the loopback sockets themselves lose nothing
  plane_.start();
  const auto port = plane_.port(Family::v4)->port();
  for (std::uint32_t sent = 0, got = 0; got < kNumbers; ++got) {
    for (; sent < kNumbers && sent < got + kWindow; ++sent) {
      while (::send(tun_.host(), &sent, sizeof sent, 0) < 0) std::this_thread::yield();
    }
    std::uint32_t number = 0;
    ASSERT_TRUE(peer_.receive_number(number)) << "lost after " << got;
    ASSERT_EQ(number, got);
  }
  const timeval limit{10, 0};
  ::setsockopt(tun_.host(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  for (std::uint32_t sent = 0, got = 0; got < kNumbers; ++got) {
    for (; sent < kNumbers && sent < got + kWindow; ++sent) peer_.send_number(sent, port);
    std::uint32_t number = 0;
    pollfd fd{tun_.host(), POLLIN, 0};
    ASSERT_EQ(::poll(&fd, 1, 10000), 1) << "lost after " << got;
    ASSERT_EQ(::recv(tun_.host(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
    ASSERT_EQ(number, got);
  }
}

TEST_P(DataPlaneModes, AFullTunHoldsTheSocketBackAndLosesNothingThatWasTaken) {
  plane_.start();
  const auto port = plane_.port(Family::v4)->port();
  // Far more than the TUN and all queues hold; the socket buffer overflows, which is the kernel's drop to count.
  constexpr std::uint32_t kNumbers = 60000;
  for (std::uint32_t i = 0; i < kNumbers; ++i) peer_.send_number(i, port);
  std::uint32_t received = 0;
  std::uint32_t last = 0;
  bool in_order = true;
  for (pollfd fd{tun_.host(), POLLIN, 0}; ::poll(&fd, 1, 500) == 1;) {
    std::uint32_t number = 0;
    ASSERT_EQ(::recv(tun_.host(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
    in_order = in_order && (received == 0 || number > last);
    last = number;
    ++received;
  }
  plane_.stop();
  EXPECT_TRUE(in_order);
  const auto status = plane_.port(Family::v4)->status();
  EXPECT_EQ(received + status.kernel_drops, kNumbers);
}

TEST_P(DataPlaneModes, StopsWhileTheTunIsFullAndThePeerFloods) {
  plane_.start();
  const auto port = plane_.port(Family::v4)->port();
  std::atomic<bool> flooding{true};
  std::thread flood([&] {
    for (std::uint32_t i = 0; flooding.load(); ++i) peer_.send_number(i, port);
  });
  // Nobody reads the TUN's other end: its queue and every channel fill up.
  while (plane_.queue_depths()[3].depth < plane_.queue_depths()[3].length) std::this_thread::yield();
  plane_.stop();
  flooding.store(false);
  flood.join();
  for (const LoopThread* thread : plane_.threads()) EXPECT_FALSE(thread->running()) << thread->name();
  // And everything goes on where it stood.
  plane_.start();
  pollfd host{tun_.host(), POLLIN, 0};
  ASSERT_EQ(::poll(&host, 1, 10000), 1);  // the writer may not have had a turn before the stop
  std::uint32_t number = 0;
  EXPECT_EQ(::recv(tun_.host(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
}

TEST_P(DataPlaneModes, RestartsUnderAFloodLoseNothingThatTheSocketTook) {
  plane_.start();
  const auto port = plane_.port(Family::v4)->port();
  constexpr std::uint32_t kNumbers = 20000;
  std::atomic<bool> flooded{false};
  std::thread flood([&] {
    for (std::uint32_t i = 0; i < kNumbers; ++i) peer_.send_number(i, port);
    flooded.store(true);
  });
  std::uint32_t received = 0;
  std::uint32_t last = 0;
  bool in_order = true;
  const auto read_some = [&](int wait_ms) {
    for (pollfd fd{tun_.host(), POLLIN, 0}; ::poll(&fd, 1, wait_ms) == 1; wait_ms = 0) {
      std::uint32_t number = 0;
      ASSERT_EQ(::recv(tun_.host(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
      in_order = in_order && (received == 0 || number > last);
      last = number;
      ++received;
    }
  };
  while (!flooded.load()) {
    plane_.stop();
    plane_.start();
    read_some(0);
  }
  flood.join();
  while (received + plane_.port(Family::v4)->status().kernel_drops < kNumbers && !HasFatalFailure()) read_some(10);
  EXPECT_TRUE(in_order);
  EXPECT_EQ(received + plane_.port(Family::v4)->status().kernel_drops, kNumbers);
}

TEST_P(DataPlaneModes, TheSocketsGoAtOnceAndLeaveNoThreadOfTheKernels) {
  const auto port = plane_.port(Family::v4)->port();
  for (int round = 0; round < 50; ++round) {
    plane_.start();
    peer_.send_number(1, port);
    plane_.set_ports(nullptr, nullptr);
    auto again = open_port(std::get<1>(GetParam()),
                           {.family = Family::v4, .port = port, .address = IpAddress::parse("127.0.0.1")});
    ASSERT_TRUE(again) << "the port is still taken in round " << round;
    plane_.set_ports(std::move(again), nullptr);
    plane_.stop();
    plane_.set_ports(nullptr, nullptr);
    // A datagram may be in each queue, but the kernel holds none.
    for (const BufferPool* pool : plane_.pools()) EXPECT_LT(pool->out(), kReceiveSlots) << pool->name();
    auto next = open_port(std::get<1>(GetParam()),
                          {.family = Family::v4, .port = port, .address = IpAddress::parse("127.0.0.1")});
    ASSERT_TRUE(next);
    plane_.set_ports(std::move(next), nullptr);
  }
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
    EXPECT_FALSE(name.starts_with("iou-")) << name;
  }
}

TEST_P(DataPlaneModes, CommandsRunOnThePacketThreadAndWithoutIt) {
  int runs = 0;
  plane_.run([&](packet::Engine&, Now, packet::Output&) { ++runs; });
  EXPECT_EQ(runs, 1);
  plane_.start();
  const auto caller = std::this_thread::get_id();
  auto runner = caller;
  plane_.run([&](packet::Engine&, Now, packet::Output&) { runner = std::this_thread::get_id(); });
  EXPECT_NE(runner, caller);
}

TEST_P(DataPlaneModes, TheEngineStopsMergingWhenTheTunRefusedIt) {
  plane_.start();
  EXPECT_FALSE(engine_.merging_stopped.load());
  tun_.coalescing.store(false);
  plane_.run([](packet::Engine&, Now, packet::Output&) {});  // a turn
  plane_.run([](packet::Engine&, Now, packet::Output&) {});
  EXPECT_TRUE(engine_.merging_stopped.load());
}

TEST_P(DataPlaneModes, TheEndOfTheInterfaceIsReported) {
  plane_.start();
  tun_.remove();
  pollfd fd{plane_.closed_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&fd, 1, 10000), 1);
}

TEST_P(DataPlaneModes, WithoutASocketDatagramsAreCountedDrops) {
  plane_.set_ports(nullptr, nullptr);
  plane_.start();
  const std::uint32_t number = 1;
  ASSERT_EQ(::send(tun_.host(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
  while (plane_.datagrams_without_socket() == 0) std::this_thread::yield();
  plane_.stop();
  EXPECT_EQ(plane_.datagrams_without_socket(), 1u);
}

INSTANTIATE_TEST_SUITE_P(All, DataPlaneModes,
                         testing::Combine(testing::Values(ThreadMode::split, ThreadMode::direct, ThreadMode::fused),
                                          testing::Values(UdpIo::syscall, UdpIo::io_uring)),
                         [](const auto& row) {
                           return std::string(name_of(std::get<0>(row.param))) + "_" +
                                  std::string(name_of(std::get<1>(row.param)));
                         });

TEST(ThreadMode, NamesAreReadBack) {
  for (const auto mode : {ThreadMode::split, ThreadMode::direct, ThreadMode::fused}) {
    EXPECT_EQ(parse_thread_mode(name_of(mode)), mode);
  }
  EXPECT_FALSE(parse_thread_mode("auto"));
  EXPECT_FALSE(parse_thread_mode(""));
}

TEST(ThreadMode, UpToTwoCpusGetOneThread) {
  EXPECT_EQ(automatic_thread_mode(1), ThreadMode::fused);
  EXPECT_EQ(automatic_thread_mode(2), ThreadMode::fused);
  EXPECT_EQ(automatic_thread_mode(3), ThreadMode::direct);
  EXPECT_GE(usable_cpus(), 1u);
}

}  // namespace
}  // namespace fireline::io
