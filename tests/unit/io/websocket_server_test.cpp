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

#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/io/test_certificate.h"
#include "tests/unit/io/websocket_server_fixture.h"
#include "tests/unit/io/without_ipv6.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;
using Counter = WebSocketServerCounter;

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
      {"health by HEAD", "HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n", Counter::health},
      {"HEAD of nothing", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404 ", Counter::bad_request},
      {"health takes no POST", "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 ",
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
    const std::string answer = read(socket, 500);
    EXPECT_TRUE(answer.starts_with(row.status_line));
    EXPECT_TRUE(!row.request.starts_with("HEAD") || answer.ends_with("\r\n\r\n")) << answer;
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
