#include "io/websocket_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/io/scripted_server.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/io/test_certificate.h"
#include "tests/unit/io/websocket_frames.h"
#include "tests/unit/io/without_ipv6.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;
using Counter = WebSocketServerCounter;

constexpr std::string_view kUpgrade =
    "GET /client/websocket?token=t0k HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nuser-agent: x/1 "
    "gateway/1.4.19\r\n\r\n";

class WebSocketServerTest : public ::testing::Test {
 protected:
  void listen(WebSocketServerOptions options = {}) {
    if (options.endpoints.empty()) options.endpoints = {*Endpoint::parse("127.0.0.1:0")};
    auto made = WebSocketServer::listen(
        *loop_, options,
        {.upgrade =
             [this](const WebSocketUpgrade& upgrade) {
               paths_.emplace_back(upgrade.path);
               queries_.emplace_back(upgrade.query);
               agents_.emplace_back(upgrade.user_agent);
               tls_ = upgrade.tls;
               asked_.push_back(upgrade.id);
               return answer_;
             },
         .opened = [this](WebSocketId id) { opened_.push_back(id); },
         .text = [this](WebSocketId id, std::string_view text) { texts_[id].emplace_back(text); },
         .closed = [this](WebSocketId id, const std::string& sentence) { closed_.emplace_back(id, sentence); }});
    ASSERT_TRUE(made) << made.error();
    server_ = std::move(*made);
    port_ = server_->endpoints().front().port;
  }
  FileDescriptor dial() const {
    FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  static void write(const FileDescriptor& socket, std::string_view text) {
    ASSERT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Until there are `bytes` of it or the end.
  std::string read(const FileDescriptor& socket, std::size_t bytes) {
    std::string text;
    turn_until(*loop_, [&] {
      char chunk[65536];
      const auto got = ::recv(socket.get(), chunk, std::min(sizeof chunk, bytes - text.size()), MSG_DONTWAIT);
      if (got > 0) text.append(chunk, static_cast<std::size_t>(got));
      return text.size() == bytes || got == 0 || (got < 0 && errno != EAGAIN);
    });
    return text;
  }
  // What is there, until nothing more is unsent.
  void read_away(const FileDescriptor& socket) {
    std::string chunk(65536, '\0');
    EXPECT_TRUE(turn_until(*loop_, [&] {
      while (::recv(socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT) > 0) {
      }
      return server_->unsent_bytes() == 0;
    }));
  }
  FileDescriptor dial_upgraded() {
    const auto before = opened_.size();
    auto socket = dial();
    write(socket, kUpgrade);
    std::string answer;
    while (!answer.ends_with("\r\n\r\n")) {
      const std::string byte = read(socket, 1);
      if (byte.empty()) break;
      answer += byte;
    }
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
    EXPECT_NE(answer.find("Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n"), std::string::npos) << answer;
    // The answer may be here before the server's thread has told of it.
    EXPECT_TRUE(turn_until(*loop_, [&] { return opened_.size() > before; }));
    return socket;
  }
  bool counted(Counter counter, std::uint64_t value = 1) {
    return turn_until(*loop_, [&] { return server_->counters().get(counter) == value; });
  }
  bool has_closed(std::size_t count = 1) {
    return turn_until(*loop_, [&] { return closed_.size() == count; });
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::make().value();
  std::optional<WebSocketAnswer> answer_ = WebSocketAnswer();
  std::vector<WebSocketId> asked_;
  std::vector<std::string> paths_, queries_, agents_;
  std::vector<WebSocketId> opened_;
  std::map<WebSocketId, std::vector<std::string>> texts_;
  std::vector<std::pair<WebSocketId, std::string>> closed_;
  bool tls_ = false;
  std::uint16_t port_ = 0;
  std::unique_ptr<WebSocketServer> server_;
};

TEST_F(WebSocketServerTest, AnUpgradeIsAskedForAndAnswered) {
  listen();
  const auto socket = dial_upgraded();
  EXPECT_EQ(paths_, std::vector<std::string>{"/client/websocket"});
  EXPECT_EQ(queries_, std::vector<std::string>{"token=t0k"});
  EXPECT_EQ(agents_, std::vector<std::string>{"x/1 gateway/1.4.19"});
  EXPECT_FALSE(tls_);
  EXPECT_EQ(opened_.size(), 1u);
  EXPECT_EQ(server_->connections(), 1u);
}

TEST_F(WebSocketServerTest, AnAnswerMayComeLaterAndToWhoHasGone) {
  answer_ = std::nullopt;
  listen();
  auto socket = dial();
  write(socket, kUpgrade);
  ASSERT_TRUE(turn_until(*loop_, [&] { return asked_.size() == 1; }));
  server_->send(asked_[0], "not yet");
  EXPECT_EQ(server_->counters().get(Counter::upgraded), 0u);
  server_->answer(asked_[0], {});
  EXPECT_TRUE(read(socket, 13).starts_with("HTTP/1.1 101 "));
  EXPECT_TRUE(counted(Counter::upgraded));
  server_->answer(asked_[0], {.status = 503, .body = {}});
  server_->answer(WebSocketId{4711}, {});
  EXPECT_EQ(server_->counters().get(Counter::refused_request), 0u) << "it is answered once";

  socket = dial();
  write(socket, kUpgrade);
  ASSERT_TRUE(turn_until(*loop_, [&] { return asked_.size() == 2; }));
  socket = {};
  server_->answer(asked_[1], {});
  EXPECT_TRUE(has_closed(2)) << "it was accepted, so its end is told";
}

TEST_F(WebSocketServerTest, MessagesGoBothWaysInOrder) {
  listen();
  const auto socket = dial_upgraded();
  write(socket, frame(Opcode::text, "one", true, true) + frame(Opcode::ping, "p", true, true) +
                    frame(Opcode::binary, "two", true, true));
  ASSERT_TRUE(turn_until(*loop_, [&] { return texts_[opened_.at(0)].size() == 2; }));
  EXPECT_EQ(texts_[opened_[0]], (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(read(socket, 3), "\x8a\x01p");
  server_->send(opened_[0], "three");
  server_->send(opened_[0], "four");
  server_->send(WebSocketId{4711}, "nobody");
  EXPECT_EQ(read(socket, 13), frame(Opcode::text, "three") + frame(Opcode::text, "four"));
  EXPECT_TRUE(counted(Counter::messages_out, 2));
  EXPECT_EQ(server_->counters().get(Counter::messages_in), 2u);
}

TEST_F(WebSocketServerTest, RequestsThatAreNotAcceptedAreAnswered) {
  listen();
  struct Row {
    const char* rule;
    std::string request;
    const char* status_line;
    Counter counter;
  };
  const auto without = [](std::string_view line) {
    std::string request(kUpgrade);
    const auto begin = request.find(line);
    return request.erase(begin, request.find("\r\n", begin) + 2 - begin);
  };
  const Row rows[] = {
      {"health", "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n", Counter::health},
      {"health takes GET alone", "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 ",
       Counter::bad_request},
      {"a browser", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", Counter::bad_request},
      {"no key", without("Sec-WebSocket-Key"), "HTTP/1.1 400 ", Counter::bad_request},
      {"no version", without("Sec-WebSocket-Version"), "HTTP/1.1 400 ", Counter::bad_request},
      {"no host", without("Host"), "HTTP/1.1 400 ", Counter::bad_request},
      {"frames before the answer", std::string(kUpgrade) + "\x81", "HTTP/1.1 400 ", Counter::bad_request},
      {"garbage", "\x16\x03\x01\x02 hello\r\n\r\n", "HTTP/1.1 400 ", Counter::bad_request},
      {"a long header", "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x'), "HTTP/1.1 431 ", Counter::bad_request}};
  std::map<Counter, std::uint64_t> expected;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto socket = dial();
    write(socket, row.request);
    EXPECT_TRUE(read(socket, 500).starts_with(row.status_line));
    EXPECT_TRUE(counted(row.counter, ++expected[row.counter]));
  }
  EXPECT_TRUE(paths_.empty());
  EXPECT_TRUE(turn_until(*loop_, [&] { return server_->connections() == 0; }));
}

TEST_F(WebSocketServerTest, ARefusalCarriesStatusBodyAndRetryAfter) {
  listen();
  answer_ = WebSocketAnswer{.status = 503, .body = "starting up", .retry_after = 7s};
  RecordingClient client(*loop_);
  client.connect(port_);
  ASSERT_TRUE(turn_until(*loop_, [&] { return !client.closed.empty(); }));
  EXPECT_EQ(client.closed[0].status, 503);
  EXPECT_EQ(client.closed[0].body, "starting up");
  EXPECT_EQ(client.closed[0].retry_after, 7s);
  EXPECT_EQ(client.closed[0].sentence, "127.0.0.1 refused the connection: HTTP 503 (starting up)");
  EXPECT_TRUE(counted(Counter::refused_request));
  EXPECT_TRUE(closed_.empty()) << "it never was a connection";
}

TEST_F(WebSocketServerTest, EveryEndIsToldOnce) {
  listen();
  dial_upgraded().reset();
  EXPECT_TRUE(has_closed(1));
  const auto socket = dial_upgraded();
  write(socket, frame(Opcode::close, "\x03\xe8", true, true));
  EXPECT_TRUE(has_closed(2));
  EXPECT_EQ(closed_[1].second, "close frame 1000");
  EXPECT_TRUE(turn_until(*loop_, [&] { return server_->connections() == 0; })) << "the socket ends after its news";
  EXPECT_EQ(closed_.size(), 2u);
}

TEST_F(WebSocketServerTest, BrokenFramesEndTheirConnectionAlone) {
  listen();
  const auto good = dial_upgraded();
  const std::string rows[] = {std::string(16, '\xff'), frame(Opcode::text, "unmasked"),
                              frame(Opcode::text, "", true, true, (std::size_t{1} << 20) + 1)};
  std::uint64_t broken = 0;
  for (const std::string& row : rows) {
    const auto socket = dial_upgraded();
    write(socket, row);
    EXPECT_TRUE(counted(Counter::closed_protocol, ++broken));
  }
  EXPECT_TRUE(has_closed(broken));
  write(good, frame(Opcode::text, "still here", true, true));
  EXPECT_TRUE(turn_until(*loop_, [&] { return texts_.contains(opened_[0]); }));
}

TEST_F(WebSocketServerTest, ClosingSendsWhatIsQueuedAndACode) {
  listen();
  const auto socket = dial_upgraded();
  server_->send(opened_[0], "last");
  server_->close(opened_[0]);
  EXPECT_EQ(read(socket, 10), frame(Opcode::text, "last") + frame(Opcode::close, "\x03\xe8"));
  write(socket, frame(Opcode::close, "\x03\xe8", true, true));
  ASSERT_TRUE(has_closed());
  EXPECT_EQ(closed_[0].second, "closed from here");
}

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
  std::string chunk(4096, '\0');
  EXPECT_TRUE(turn_until(*loop_, [&] {
    static_cast<void>(::recv(slow.get(), chunk.data(), chunk.size(), MSG_DONTWAIT));
    return texts_.contains(opened_.at(1));
  })) << "somebody else's message";
  EXPECT_TRUE(counted(Counter::closed_slow));
  ASSERT_TRUE(has_closed());
  EXPECT_EQ(closed_[0].first, opened_[0]);
}

TEST_F(WebSocketServerTest, WhileThereIsRoomWhoReadsALittleStays) {
  listen({.endpoints = {}, .limits = {.queue_bytes = 2 * kMuch, .unsent_bytes = 2 * kMuch, .stall = 1h, .pace = 1ms}});
  const auto slow = dial_upgraded();
  server_->send(opened_[0], std::string(kMuch, 'x'));
  read_away(slow);
  EXPECT_EQ(server_->counters().get(Counter::closed_slow), 0u);
}

TEST_F(WebSocketServerTest, ASharedTextIsSentToMany) {
  listen();
  const auto first = dial_upgraded();
  const auto second = dial_upgraded();
  const auto text = std::make_shared<const std::string>("for all");
  for (const WebSocketId id : opened_) server_->send(id, text);
  server_->send(opened_[0], "own");
  EXPECT_EQ(read(first, 14), frame(Opcode::text, "for all") + frame(Opcode::text, "own"));
  EXPECT_EQ(read(second, 9), frame(Opcode::text, "for all"));
  EXPECT_TRUE(turn_until(*loop_, [&] { return server_->unsent_bytes() == 0 && text.use_count() == 1; }));
}

TEST_F(WebSocketServerTest, WhoSaysNothingIsClosed) {
  listen();
  answer_->idle = 1ms;
  const auto socket = dial_upgraded();
  EXPECT_TRUE(counted(Counter::closed_idle));
  EXPECT_TRUE(has_closed());
}

TEST_F(WebSocketServerTest, WhoSendsNoRequestIsClosed) {
  listen({.endpoints = {}, .limits = {.request = 1ms}});
  const auto socket = dial();
  write(socket, "GET /half HTTP/1.1\r\n");
  EXPECT_EQ(read(socket, 1), "");
  EXPECT_TRUE(counted(Counter::closed_timed_out));
}

TEST_F(WebSocketServerTest, OneSourceHasItsLimitAndAllTogetherTheirs) {
  listen({.endpoints = {}, .limits = {.connections_max = 3, .connections_source_max = 2}});
  const auto first = dial_upgraded();
  const auto second = dial_upgraded();
  EXPECT_EQ(read(dial(), 1), "");
  EXPECT_TRUE(counted(Counter::refused_source));
  listen({.endpoints = {}, .limits = {.connections_max = 1}});
  const auto only = dial_upgraded();
  EXPECT_EQ(read(dial(), 1), "");
  EXPECT_TRUE(counted(Counter::refused_full));
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

TEST_F(WebSocketServerTest, SeveralEndpointsAreServedAndTakenOnesNamed) {
  listen({.endpoints = {*Endpoint::parse("127.0.0.1:0"), *Endpoint::parse("[::1]:0")}});
  ASSERT_EQ(server_->endpoints().size(), 2u);
  RecordingClient client(*loop_);
  client.connect(server_->endpoints()[1].port, false, "::1", {*IpAddress::parse("::1")});
  EXPECT_TRUE(turn_until(*loop_, [&] { return client.opened == 1; }));
  const auto taken = WebSocketServer::listen(*loop_, {.endpoints = {server_->endpoints()[0]}}, {});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error(), "cannot listen on TCP " + server_->endpoints()[0].to_string() +
                               ": Address already in use: choose another port or end the program that has this one");
}

TEST_F(WebSocketServerTest, AFamilyThatTheKernelLacksIsAnErrorWithItsFix) {
  without_ipv6([] {
    const auto loop = EventLoop::make().value();
    const auto made = WebSocketServer::listen(*loop, {.endpoints = {*Endpoint::parse("[::1]:8081")}}, {});
    ASSERT_FALSE(made);
    EXPECT_EQ(
        made.error(),
        "cannot listen on TCP [::1]:8081: Address family not supported by protocol: this host has no IPv6: choose "
        "an IPv4 address");
  });
}

TEST_F(WebSocketServerTest, AHundredConnectionsAreToldAtOnce) {
  listen();
  std::vector<FileDescriptor> sockets;
  for (int i = 0; i < 100; ++i) sockets.push_back(dial_upgraded());
  ASSERT_EQ(opened_.size(), sockets.size());
  for (const WebSocketId id : opened_) server_->send(id, "policy");
  for (const FileDescriptor& socket : sockets) EXPECT_EQ(read(socket, 8), frame(Opcode::text, "policy"));
}

class WebSocketTlsTest : public WebSocketServerTest {
 protected:
  void listen_with(const TestCertificate& certificate) {
    listen({.endpoints = {}, .certificate_file = certificate.certificate_file(), .key_file = certificate.key_file()});
  }
  TemporaryDirectory directory_;
};

TEST_F(WebSocketTlsTest, CertificatesAreJudged) {
  struct Row {
    const char* rule;
    const char* names;
    int days;
    const char* host;
    bool trusted;
    const char* failure;  // empty: it connects
  };
  const Row rows[] = {{"right name, trusted", "DNS:portal.test", 1, "portal.test", true, ""},
                      {"right address, trusted", "IP:127.0.0.1", 1, "127.0.0.1", true, ""},
                      {"right IPv6 address, trusted", "IP:::1", 1, "::1", true, ""},
                      {"another name", "DNS:other.test", 1, "portal.test", true, "hostname mismatch"},
                      {"another address", "IP:127.0.0.2", 1, "127.0.0.1", true, "IP address mismatch"},
                      {"nobody vouches for it", "DNS:portal.test", 1, "portal.test", false, "self-signed certificate"},
                      {"it has expired", "DNS:portal.test", -1, "portal.test", true, "certificate has expired"}};
  int number = 0;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const TestCertificate certificate(directory_.path(), std::to_string(++number), row.names, row.days);
    listen_with(certificate);
    RecordingClient client(*loop_, row.trusted ? certificate.certificate_file() : "");
    client.connect(port_, true, row.host);
    ASSERT_TRUE(turn_until(*loop_, [&] { return client.opened + static_cast<int>(client.closed.size()) > 0; }));
    if (*row.failure == '\0') {
      EXPECT_EQ(client.opened, 1) << client.closed[0].sentence;
      EXPECT_TRUE(tls_);
      continue;
    }
    ASSERT_EQ(client.closed.size(), 1u);
    EXPECT_EQ(client.closed[0].reason, WebSocketEnd::bad_certificate);
    EXPECT_EQ(client.closed[0].sentence, std::string(row.host) + " has no valid certificate: " + row.failure);
    EXPECT_TRUE(counted(Counter::closed_tls));
  }
}

TEST_F(WebSocketTlsTest, LargeMessagesGoBothWays) {
  const TestCertificate certificate(directory_.path(), "server", "DNS:portal.test");
  listen_with(certificate);
  RecordingClient client(*loop_, certificate.certificate_file());
  client.connect(port_, true, "portal.test");
  ASSERT_TRUE(turn_until(*loop_, [&] { return client.opened == 1 && opened_.size() == 1; }));
  const std::string text(200'000, 't');
  ASSERT_TRUE(client.client->send(text));
  ASSERT_TRUE(turn_until(*loop_, [&] { return texts_[opened_.at(0)].size() == 1; }));
  server_->send(opened_[0], text + text);
  ASSERT_TRUE(turn_until(*loop_, [&] { return client.texts.size() == 1; }));
  EXPECT_EQ(client.texts[0], text + text);
  client.client->close();
  EXPECT_TRUE(has_closed());
  EXPECT_TRUE(turn_until(*loop_, [&] { return client.closed.size() == 1; }));
  EXPECT_EQ(client.closed[0].reason, WebSocketEnd::ended);
}

TEST_F(WebSocketTlsTest, ARenewedCertificateIsForWhoComesNext) {
  const TestCertificate first(directory_.path(), "first", "DNS:portal.test");
  const TestCertificate second(directory_.path(), "second", "DNS:portal.test");
  listen_with(first);
  RecordingClient early(*loop_, first.certificate_file());
  early.connect(port_, true, "portal.test");
  ASSERT_TRUE(turn_until(*loop_, [&] { return early.opened == 1 && opened_.size() == 1; }));
  ASSERT_TRUE(server_->replace_certificate(second.certificate_file(), second.key_file()));
  const auto wrong = server_->replace_certificate(first.certificate_file(), second.key_file());
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().find("second.key"), std::string::npos);
  RecordingClient late(*loop_, second.certificate_file());
  late.connect(port_, true, "portal.test");
  ASSERT_TRUE(turn_until(*loop_, [&] { return late.opened == 1 && opened_.size() == 2; }));
  RecordingClient old_trust(*loop_, first.certificate_file());
  old_trust.connect(port_, true, "portal.test");
  ASSERT_TRUE(turn_until(*loop_, [&] { return !old_trust.closed.empty(); }));
  EXPECT_EQ(old_trust.closed[0].reason, WebSocketEnd::bad_certificate);
  server_->send(opened_[0], "still here");
  EXPECT_TRUE(turn_until(*loop_, [&] { return early.texts == std::vector<std::string>{"still here"}; }));
}

TEST_F(WebSocketTlsTest, APeerThatSpeaksNoTlsIsATransientError) {
  listen();
  RecordingClient client(*loop_);
  client.connect(port_, true, "portal.test");
  ASSERT_TRUE(turn_until(*loop_, [&] { return !client.closed.empty(); }));
  EXPECT_EQ(client.closed[0].reason, WebSocketEnd::tls_error);
}

TEST_F(WebSocketTlsTest, FilesThatDoNotFitAreNamed) {
  const TestCertificate one(directory_.path(), "one", "DNS:portal.test");
  const TestCertificate two(directory_.path(), "two", "DNS:portal.test");
  const auto listen_error = [this](const std::string& certificate, const std::string& key) {
    const auto made = WebSocketServer::listen(
        *loop_, {.endpoints = {*Endpoint::parse("127.0.0.1:0")}, .certificate_file = certificate, .key_file = key}, {});
    return made ? std::string() : made.error();
  };
  EXPECT_NE(listen_error(one.certificate_file(), two.key_file()).find("two.key"), std::string::npos);
  EXPECT_NE(listen_error("/nowhere.pem", one.key_file()).find("/nowhere.pem"), std::string::npos);
  const auto client = WebSocketClient::make(*loop_, {.ca_file = one.key_file()}, {});
  ASSERT_FALSE(client);
  EXPECT_NE(client.error().find("use a PEM file"), std::string::npos) << client.error();
}

}  // namespace
}  // namespace fireline::io
