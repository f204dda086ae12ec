// The threads around an engine that only passes on: what goes in at the TUN comes out at the sockets, whole, once and
// in order, in every thread mode, while devices are slow; and everything stops from any state.
#include "io/data_plane.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <tuple>

#include "io/limits.h"
#include "tests/unit/io/data_plane_parts.h"
#include "tests/unit/io/idle_port.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;

class DataPlaneModes : public testing::TestWithParam<std::tuple<ThreadMode, UdpIo, std::size_t>> {
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
  FlipCipher aead_;
  // A few numbers are two tasks, so that helpers get their share of this little traffic.
  DataPlane plane_{engine_,
                   aead_,
                   tun_,
                   {},
                   {.mode = std::get<0>(GetParam()),
                    .helpers = FlipCipher::several(std::get<2>(GetParam())),
                    .cipher_threshold = {.task_cost = 1000, .busy_works = 0}}};
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
    ASSERT_EQ(number, got ^ FlipCipher::kFlipped);
  }
  const timeval limit{10, 0};
  ::setsockopt(tun_.host(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  for (std::uint32_t sent = 0, got = 0; got < kNumbers; ++got) {
    for (; sent < kNumbers && sent < got + kWindow; ++sent) peer_.send_number(sent, port);
    std::uint32_t number = 0;
    pollfd fd{tun_.host(), POLLIN, 0};
    ASSERT_EQ(::poll(&fd, 1, 10000), 1) << "lost after " << got;
    ASSERT_EQ(::recv(tun_.host(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
    ASSERT_EQ(number, got ^ FlipCipher::kFlipped);
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
  for (pollfd fd{tun_.host(), POLLIN, 0}; ::poll(&fd, 1, 3000) == 1;) {
    std::uint32_t number = 0;
    ASSERT_EQ(::recv(tun_.host(), &number, sizeof number, 0), static_cast<ssize_t>(sizeof number));
    number ^= FlipCipher::kFlipped;
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
      number ^= FlipCipher::kFlipped;
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

std::string name_of_row(const testing::TestParamInfo<DataPlaneModes::ParamType>& row) {
  const std::size_t helpers = std::get<2>(row.param);
  return std::string(name_of(std::get<0>(row.param))) + "_" + std::string(name_of(std::get<1>(row.param))) +
         (helpers == 0 ? "" : "_" + std::to_string(helpers) + "_helpers");
}

INSTANTIATE_TEST_SUITE_P(All, DataPlaneModes,
                         testing::Combine(testing::Values(ThreadMode::split, ThreadMode::direct, ThreadMode::fused),
                                          testing::Values(UdpIo::syscall, UdpIo::io_uring),
                                          testing::Values(std::size_t{0})),
                         name_of_row);
INSTANTIATE_TEST_SUITE_P(WithHelpers, DataPlaneModes,
                         testing::Combine(testing::Values(ThreadMode::split, ThreadMode::direct, ThreadMode::fused),
                                          testing::Values(UdpIo::syscall), testing::Values(std::size_t{2})),
                         name_of_row);

// Flips, but stands still in its first call until it may go on.
class StallingCipher final : public crypto::Aead {
 public:
  struct Gate {
    std::atomic<bool> reached{false};
    std::atomic<bool> open{false};
  };
  explicit StallingCipher(Gate& gate) : gate_(gate) {}

  void seal(std::span<crypto::AeadJob> jobs) noexcept override {
    gate_.reached.store(true);
    gate_.open.wait(false);
    flip_.seal(jobs);
  }
  void open(std::span<crypto::AeadJob> jobs) noexcept override { seal(jobs); }
  crypto::AeadBackend backend() const noexcept override { return flip_.backend(); }

 private:
  Gate& gate_;
  FlipCipher flip_;
};

TEST(DataPlaneHelpers, WhileOneStandsStillCommandsAreServedAndAfterwardsEverythingArrivesInOrder) {
  StallingCipher::Gate gate;
  TestSocket peer;
  SocketTun tun;
  PassOn engine{peer.endpoint()};
  FlipCipher aead;
  DataPlaneOptions options{
      .mode = ThreadMode::fused, .helpers = {}, .cipher_threshold = {.task_cost = 1000, .busy_works = 0}};
  options.helpers.push_back(std::make_unique<StallingCipher>(gate));
  DataPlane plane(engine, aead, tun, {}, std::move(options));
  auto socket = open_port(UdpIo::syscall, {.family = Family::v4, .address = IpAddress::parse("127.0.0.1")});
  ASSERT_TRUE(socket);
  plane.set_ports(std::move(socket), nullptr);
  plane.start();

  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  const auto receive = [&] {
    std::uint32_t number = 0;
    ASSERT_TRUE(peer.receive_number(number)) << "lost after " << received;
    ASSERT_EQ(number, received ^ FlipCipher::kFlipped);
    ++received;
  };
  const auto send_some = [&] {
    for (int i = 0; i < 64; ++i, ++sent) {
      while (::send(tun.host(), &sent, sizeof sent, 0) < 0) std::this_thread::yield();
    }
  };
  // The packet thread is often quicker than the helper wakes up.
  while (!gate.reached.load()) {
    send_some();
    while (received < sent && !gate.reached.load()) {
      if (!peer.readable()) continue;
      ASSERT_NO_FATAL_FAILURE(receive());
    }
  }
  for (int i = 0; i < 3; ++i) plane.run([](packet::Engine&, Now, packet::Output&) {});
  gate.open.store(true);
  gate.open.notify_all();
  send_some();
  while (received < sent) ASSERT_NO_FATAL_FAILURE(receive());
}

// Each packet is a train of numbers.
class Numbers final : public PassOn {
 public:
  using PassOn::PassOn;
  void commit(Now now, packet::Work& work, packet::Output& output) override {
    PassOn::commit(now, work, output);
    for (auto& train : output.udp4.trains) train.segment_bytes = sizeof(std::uint32_t);
  }
};

// Takes one datagram, and then none.
class StuckPort final : public IdlePort {
 public:
  IoStatus receive(packet::UdpBatch&, packet::BufferSource&) override { return IoStatus::would_block; }
  IoStatus send(const packet::UdpSendBatch&, SendCursor& cursor, Instant) override {
    cursor.offset_bytes = sizeof(std::uint32_t);
    stuck->store(true);
    return IoStatus::would_block;
  }
  int poll_fd() const noexcept override { return never_.get(); }
  int send_fd() const noexcept override { return never_.get(); }

  std::shared_ptr<std::atomic<bool>> stuck = std::make_shared<std::atomic<bool>>(false);

 private:
  FileDescriptor never_{::epoll_create1(EPOLL_CLOEXEC)};
};

TEST(DataPlanePorts, OfATrainThatTheOldSocketHadBegunOnlyTheRestIsLost) {
  for (const auto mode : {ThreadMode::split, ThreadMode::direct, ThreadMode::fused}) {
    SCOPED_TRACE(name_of(mode));
    SocketTun tun;
    Numbers engine{*Endpoint::parse("127.0.0.1:9")};
    FlipCipher aead;
    DataPlane plane(engine, aead, tun, {}, {.mode = mode});
    auto port = std::make_unique<StuckPort>();
    const auto stuck = port->stuck;
    plane.set_ports(std::move(port), nullptr);
    plane.start();
    const std::array<std::uint32_t, 3> numbers{1, 2, 3};
    ASSERT_EQ(::send(tun.host(), numbers.data(), sizeof numbers, 0), static_cast<ssize_t>(sizeof numbers));
    while (!stuck->load()) std::this_thread::yield();
    plane.set_ports(nullptr, nullptr);
    while (plane.datagrams_without_socket() == 0) std::this_thread::yield();
    plane.stop();
    EXPECT_EQ(plane.datagrams_without_socket(), 2U);
  }
}

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
