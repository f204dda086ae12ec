#include "relay/relay_loop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <thread>

#include "core/crypto/random.h"
#include "core/stun/integrity.h"
#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"
#include "io/loop_thread.h"
#include "tests/unit/io/few_descriptors.h"
#include "tests/unit/relay/udp_client.h"

namespace fireline::relay {
namespace {

using namespace std::chrono_literals;

// A Binding request (RFC 8489): header alone, transaction id of twelve equal bytes.
std::string binding_request(char id) {
  return std::string("\x00\x01\x00\x00\x21\x12\xA4\x42", 8) + std::string(12, id);
}

constexpr std::string_view kUser = "u";
constexpr std::string_view kPassword = "p";
constexpr std::string_view kRealm = "realm";

// A client with credentials: the first answer, 401, brings it a nonce.
class TurnClient : public UdpClient {
 public:
  // The code of the answer, 0 for success; -1 without one.
  int ask(RelayLoop& loop, stun::Method method, std::uint32_t lifetime) {
    std::array<std::byte, 512> buffer;
    const stun::TransactionId id{std::byte{++requests_}};
    stun::MessageWriter writer(buffer, stun::MessageClass::request, method, id);
    if (method == stun::Method::allocate) writer.add_transport(stun::kTransportUdp);
    writer.add_u32(stun::Attribute::lifetime, lifetime);
    writer.add_text(stun::Attribute::username, kUser);
    writer.add_text(stun::Attribute::realm, kRealm);
    if (!nonce_.empty()) writer.add_text(stun::Attribute::nonce, nonce_);
    writer.add_integrity(stun::LongTermKey(kUser, kRealm, kPassword).bytes());
    const ConstBytes request = writer.message();
    send(loop.listen_port(), std::string(reinterpret_cast<const char*>(request.data()), request.size()));
    std::string bytes;
    for (int i = 0; i < 100 && bytes.empty(); ++i) {
      loop.turn(10ms);
      bytes = receive();
    }
    const auto answer = stun::MessageView::parse(std::as_bytes(std::span(bytes)));
    if (!answer) return -1;
    if (const auto nonce = answer->find_text(stun::Attribute::nonce)) nonce_ = *nonce;
    const auto error = answer->find_error_code();
    return error ? error->code : 0;
  }

 private:
  std::string nonce_;
  unsigned char requests_ = 0;
};

class RelayLoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    control_ = io::EventLoop::make().value();
    auto loop = RelayLoop::make(
        {.families = {.v4 = true, .v6 = false}, .listen_port = 0, .bind_ip4 = kLoopback.address}, *control_);
    ASSERT_TRUE(loop) << loop.error().to_string();
    loop_ = std::move(*loop);
    StaticCredentials users{std::string(kRealm)};
    users.add(kUser, kPassword);
    ServerConfig config{.public_ip4 = IpAddress::parse("203.0.113.10"),
                        .public_ip6 = std::nullopt,
                        .credentials = std::move(users),
                        .peers = {},
                        .limits = {}};
    server_ = std::make_unique<Server>(std::move(config), *loop_, random_);
    loop_->serve(*server_);
  }
  // A port that nobody has at this moment.
  [[nodiscard]] static std::uint16_t free_port() { return UdpClient().port(); }
  void turns(int count) {
    for (int i = 0; i < count; ++i) loop_->turn(10ms);
  }

  crypto::SystemRandom random_;
  std::unique_ptr<io::EventLoop> control_;
  std::unique_ptr<RelayLoop> loop_;
  std::unique_ptr<Server> server_;
};

TEST_F(RelayLoopTest, ARequestIsAnsweredFromTheControlPort) {
  const UdpClient client;
  client.send(loop_->listen_port(), binding_request('t'));
  turns(2);
  const std::string answer = client.receive();
  ASSERT_GE(answer.size(), 20u);
  EXPECT_EQ(answer.substr(0, 2), "\x01\x01");
  EXPECT_EQ(answer.substr(8, 12), std::string(12, 't'));
  EXPECT_EQ(loop_->counters().get(RelayCounter::received), 1u);
  EXPECT_EQ(loop_->counters().get(RelayCounter::sent), 1u);
}

TEST_F(RelayLoopTest, WhatIsNoStunIsTheServersToDropAndDoesNotStopTheRest) {
  const UdpClient client;
  for (const std::string& junk : {std::string(), std::string("\x40"), std::string("\x50junk"),
                                  std::string(1500, '\xFF'), std::string("\x00\x01", 2)}) {
    client.send(loop_->listen_port(), junk);
  }
  client.send(loop_->listen_port(), binding_request('u'));
  turns(3);
  EXPECT_EQ(client.receive().substr(8, 12), std::string(12, 'u'));
  EXPECT_EQ(loop_->counters().get(RelayCounter::received), 6u);
}

TEST_F(RelayLoopTest, ControlWorkHasItsTurnWhileDatagramsWait) {
  const UdpClient client;
  int timers = 0;
  // A timer that is due again at once: it must neither starve the datagrams nor be starved by them.
  std::function<void()> again = [&] {
    ++timers;
    static_cast<void>(control_->after(Duration::zero(), [&] { again(); }));
  };
  static_cast<void>(control_->after(Duration::zero(), [&] { again(); }));
  control_->turn(Duration::zero());
  constexpr int kRequests = 150;
  for (int i = 0; i < kRequests; ++i) client.send(loop_->listen_port(), binding_request('v'));
  turns(10);
  EXPECT_GE(timers, 9);
  EXPECT_EQ(loop_->counters().get(RelayCounter::received), static_cast<std::uint64_t>(kRequests));
}

TEST_F(RelayLoopTest, StopFromAHandlerEndsTheRun) {
  static_cast<void>(control_->after(1ms, [this] { loop_->stop(); }));
  loop_->run();
  SUCCEED();
}

TEST_F(RelayLoopTest, ADeadlineThatHasComeIsServedAtOnce) {
  TurnClient client;
  ASSERT_EQ(client.ask(*loop_, stun::Method::allocate, 0), 401);
  ASSERT_EQ(client.ask(*loop_, stun::Method::allocate, 0), 0) << "granted for no time";
  // Sleeps without end, unless the timer is set for the past.
  if (server_->gauges().allocations != 0) loop_->turn(std::nullopt);
  EXPECT_EQ(server_->gauges().allocations, 0u);
  EXPECT_EQ(server_->counters().get(ServerCounter::allocations_expired), 1u);
}

TEST_F(RelayLoopTest, ADeadlineThatMovesAwayWakesNobody) {
  TurnClient client;
  ASSERT_EQ(client.ask(*loop_, stun::Method::allocate, 600), 401);
  ASSERT_EQ(client.ask(*loop_, stun::Method::allocate, 600), 0);
  ASSERT_EQ(client.ask(*loop_, stun::Method::refresh, 3600), 0);
  loop_->turn(Duration::zero());
  const Instant begin = io::read_clocks().boot;
  loop_->turn(50ms);
  EXPECT_GE(io::read_clocks().boot - begin, 49ms) << "it slept for as long as it might";
  EXPECT_EQ(server_->gauges().allocations, 1u);
}

volatile sig_atomic_t interrupts = 0;

// SIGALRM again and again, without the restart of interrupted calls: what a profiler does.
class Interruptions {
 public:
  Interruptions() {
    interrupts = 0;
    struct sigaction quiet{};
    quiet.sa_handler = [](int) { interrupts = interrupts + 1; };
    EXPECT_EQ(::sigaction(SIGALRM, &quiet, &before_), 0);
    every({.tv_sec = 0, .tv_usec = 1000});
  }
  ~Interruptions() {
    every({});
    EXPECT_EQ(::sigaction(SIGALRM, &before_, nullptr), 0);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

 private:
  static void every(timeval interval) {
    const itimerval timer{.it_interval = interval, .it_value = interval};
    EXPECT_EQ(::setitimer(ITIMER_REAL, &timer, nullptr), 0);
  }
  struct sigaction before_{};
};

TEST_F(RelayLoopTest, SignalsInTheMiddleOfTheWaitEndNothing) {
  const Interruptions interruptions;
  const UdpClient client;
  std::string answer;
  int looks = 0;
  const std::function<void()> look = [&] {
    answer = client.receive();
    if (!answer.empty() || ++looks == 5000) return loop_->stop();
    static_cast<void>(control_->after(1ms, look));
  };
  // Signals that come while this process waits for a processor are one.
  const std::function<void()> ask = [&] {
    if (interrupts < 3) return static_cast<void>(control_->after(1ms, ask));
    client.send(loop_->listen_port(), binding_request('e'));
    look();
  };
  static_cast<void>(control_->after(1ms, ask));
  loop_->run();
  EXPECT_GE(static_cast<int>(interrupts), 3);
  ASSERT_GE(answer.size(), 20u);
  EXPECT_EQ(answer.substr(8, 12), std::string(12, 'e'));
}

TEST_F(RelayLoopTest, WhatIsReadIsToldAtTraceAlone) {
  std::ostringstream text;
  auto log = std::make_shared<spdlog::logger>("wire", std::make_shared<spdlog::sinks::ostream_sink_st>(text));
  log->set_pattern("%v");
  log->set_level(spdlog::level::debug);
  loop_->set_wire_log(log);
  const UdpClient sender;
  const std::uint16_t port = free_port();
  ASSERT_EQ(loop_->open_port(port, {.v4 = true, .v6 = false}), Host::Opened::done);
  sender.send(loop_->listen_port(), binding_request('w'));
  turns(2);
  EXPECT_EQ(text.str(), "");
  log->set_level(spdlog::level::trace);
  const std::string from = "received: sender=127.0.0.1:" + std::to_string(sender.port());
  sender.send(loop_->listen_port(), binding_request('w'));
  turns(2);
  EXPECT_EQ(text.str(), from + " num_bytes=20 datagrams=1\n");
  text.str("");
  sender.send(port, "hello");
  turns(2);
  EXPECT_EQ(text.str(), from + " allocation=" + std::to_string(port) + " num_bytes=5 datagrams=1\n");
  loop_->close_port(port);
}

TEST_F(RelayLoopTest, APortThatIsTakenIsRefusedAndLeavesNothingOpen) {
  const UdpClient other;
  const std::size_t before = loop_->sockets();
  EXPECT_EQ(loop_->open_port(other.port(), {.v4 = true, .v6 = false}), Host::Opened::unusable);
  EXPECT_EQ(loop_->sockets(), before);
  const std::uint16_t port = free_port();
  ASSERT_EQ(loop_->open_port(port, {.v4 = true, .v6 = true}), Host::Opened::done);
  EXPECT_EQ(loop_->sockets(), before + 2);
  loop_->close_port(port);
  EXPECT_EQ(loop_->sockets(), before);
  ASSERT_EQ(loop_->open_port(port, {.v4 = true, .v6 = false}), Host::Opened::done) << "it is free again";
  loop_->close_port(port);
}

TEST_F(RelayLoopTest, WithoutDescriptorsNoPortIsToBlame) {
  const std::uint16_t port = free_port();
  const std::size_t before = loop_->sockets();
  for (const unsigned left : {0u, 1u}) {
    const io::FewDescriptors few(left);
    EXPECT_EQ(loop_->open_port(port, {.v4 = true, .v6 = true}), Host::Opened::exhausted) << left;
    EXPECT_EQ(loop_->sockets(), before) << "the first family's socket is closed again";
  }
  ASSERT_EQ(loop_->open_port(port, {.v4 = true, .v6 = true}), Host::Opened::done);
  loop_->close_port(port);
}

TEST_F(RelayLoopTest, AnAddressThatIsAwayIsNotThePortsFault) {
  auto made = RelayLoop::make({.families = {.v4 = true, .v6 = false},
                               .listen_port = 0,
                               .bind_ip4 = kLoopback.address,
                               .bind_ip6 = IpAddress::parse("2001:db8::1")},
                              *control_);
  ASSERT_TRUE(made) << made.error().to_string();
  RelayLoop& loop = **made;
  std::ostringstream text;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("relay", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)));
  const std::uint16_t port = free_port();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(loop.open_port(port, {.v4 = true, .v6 = true}), Host::Opened::exhausted);
    EXPECT_EQ(loop.sockets(), 1u);
  }
  spdlog::set_default_logger(before);
  const std::string lines = text.str();
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1) << lines;
  EXPECT_NE(lines.find("EADDRNOTAVAIL"), std::string::npos) << lines;
  EXPECT_EQ(lines.find("LimitNOFILE"), std::string::npos) << lines;
  ASSERT_EQ(loop.open_port(port, {.v4 = true, .v6 = false}), Host::Opened::done);
  loop.close_port(port);
}

TEST_F(RelayLoopTest, TakesNoMoreSocketsThanItMay) {
  auto few = RelayLoop::make(
      {.families = {.v4 = true, .v6 = false}, .listen_port = 0, .bind_ip4 = kLoopback.address, .sockets_max = 3},
      *control_);
  ASSERT_TRUE(few) << few.error().to_string();
  RelayLoop& loop = **few;
  const std::uint16_t first = free_port();
  ASSERT_EQ(loop.open_port(first, {.v4 = true, .v6 = false}), Host::Opened::done);
  const std::uint16_t second = free_port();
  EXPECT_EQ(loop.open_port(second, {.v4 = true, .v6 = true}), Host::Opened::exhausted) << "one of two would fit";
  EXPECT_EQ(loop.sockets(), 2u);
  EXPECT_EQ(loop.open_port(second, {.v4 = true, .v6 = false}), Host::Opened::done);
  loop.close_port(first);
  loop.close_port(second);
}

TEST_F(RelayLoopTest, IndicationsLeaveFromTheAllocationsPort) {
  const UdpClient peer;
  const std::uint16_t port = free_port();
  ASSERT_EQ(loop_->open_port(port, {.v4 = true, .v6 = false}), Host::Opened::done);
  Endpoint to = kLoopback;
  to.port = peer.port();
  loop_->send_peer(port, to, std::as_bytes(std::span("payload", 7)));
  EXPECT_EQ(peer.receive(), "payload");
  const Endpoint v6 = *Endpoint::parse("[2001:db8::1]:9");
  loop_->send_peer(port, v6, {});
  EXPECT_EQ(loop_->counters().get(RelayCounter::no_socket), 1u) << "the allocation has no IPv6 socket";
  loop_->close_port(port);
}

TEST_F(RelayLoopTest, PeersWithoutAllocationRightsAreDroppedByTheServer) {
  const UdpClient peer;
  const std::uint16_t port = free_port();
  ASSERT_EQ(loop_->open_port(port, {.v4 = true, .v6 = false}), Host::Opened::done);
  for (int i = 0; i < 100; ++i) peer.send(port, "hello");
  turns(5);
  EXPECT_EQ(loop_->counters().get(RelayCounter::received), 100u);
  EXPECT_EQ(server_->counters().get(ServerCounter::peer_datagrams), 100u);
  EXPECT_EQ(server_->counters().get(ServerCounter::drop_peer_no_allocation), 100u);
  loop_->close_port(port);
}

// The kernel tells of them with the next datagram alone, and here none follows.
TEST_F(RelayLoopTest, WhatTheKernelDropsLastIsCountedToo) {
  constexpr std::size_t kDatagramBytes = 8000;
  constexpr std::uint64_t kDatagrams = 4 * kAllocationReceiveBytes / kDatagramBytes;
  const auto read_or_dropped = [&] {
    return loop_->counters().get(RelayCounter::received) + loop_->counters().get(RelayCounter::kernel_drops);
  };
  const auto flood = [&](std::uint16_t port) {
    const UdpClient peer;
    for (std::uint64_t i = 0; i < kDatagrams; ++i) peer.send(port, std::string(kDatagramBytes, 'x'));
    for (int i = 0; i < 200; ++i) loop_->turn(Duration::zero());
  };
  const std::uint16_t port = free_port();
  ASSERT_EQ(loop_->open_port(port, {.v4 = true, .v6 = false}), Host::Opened::done);
  flood(port);
  loop_->count_kernel_drops();
  EXPECT_EQ(read_or_dropped(), kDatagrams) << "when somebody asks";
  EXPECT_GT(loop_->counters().get(RelayCounter::kernel_drops), 0u);
  flood(port);
  loop_->close_port(port);
  EXPECT_EQ(read_or_dropped(), 2 * kDatagrams) << "when the socket is closed";
}

TEST_F(RelayLoopTest, ASecondRelayOnTheSamePortIsAnErrorThatNamesIt) {
  const auto second = RelayLoop::make(
      {.families = {.v4 = true, .v6 = false}, .listen_port = loop_->listen_port(), .bind_ip4 = kLoopback.address},
      *control_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().to_string(), "cannot bind UDP port " + std::to_string(loop_->listen_port()) +
                                            " (IPv4): Address already in use (EADDRINUSE): choose another "
                                            "--listen-port or stop the program that holds this one");
}

}  // namespace
}  // namespace fireline::relay
