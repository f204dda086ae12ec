#include "io/websocket_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "tests/unit/io/scripted_server.h"
#include "tests/unit/io/websocket_frames.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;

class WebSocketClientTest : public ::testing::Test {
 protected:
  bool ended() {
    return turn_until(*loop_, [this] { return !client_.closed.empty(); });
  }
  void open() {
    client_.connect(server_.port());
    server_.upgrade();
    ASSERT_TRUE(turn_until(*loop_, [this] { return client_.opened > 0; }));
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::make().value();
  ScriptedServer server_{*loop_};
  RecordingClient client_{*loop_};
};

TEST_F(WebSocketClientTest, TheRequestHasTheHeadersOfFirezonesProgramsInTheirOrder) {
  client_.connect(server_.port(), false, "portal.example");
  std::string request = server_.upgrade();
  const auto key = request.find("Sec-WebSocket-Key: ");
  ASSERT_NE(key, std::string::npos);
  request.replace(key + 19, 24, "KEY");
  EXPECT_EQ(request,
            "GET /client/websocket?token=s3cret&name=box HTTP/1.1\r\n"
            "Host: portal.example\r\n"
            "Connection: Upgrade\r\n"
            "Upgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: KEY\r\n"
            "user-agent: Debian/12.0.0 headless-client/1.5.5 (x86_64; 6.1.0)\r\n\r\n");
}

TEST_F(WebSocketClientTest, TheAcceptValueIsThatOfTheSpecificationsVector) {
  EXPECT_EQ(ScriptedServer::accept_of("AAAAAAAAAAAAAAAAAAAAAA=="), "ICX+Yqv66kxgM0FcWaLWlFLwTAI=");
}

TEST_F(WebSocketClientTest, AnIpv6HostIsBracketedInHostAlone) {
  client_.connect(server_.port(), false, "2001:db8::1");
  EXPECT_NE(server_.upgrade().find("\r\nHost: [2001:db8::1]\r\n"), std::string::npos);
}

TEST_F(WebSocketClientTest, MessagesArriveInOrderAndWhole) {
  open();
  const std::string large(200'000, 'x');
  server_.write(frame(Opcode::text, "one") + frame(Opcode::binary, "two") + frame(Opcode::text, "th", false) +
                frame(Opcode::ping, "") + frame(Opcode::more, "ree") + frame(Opcode::text, "") +
                frame(Opcode::text, large));
  ASSERT_TRUE(turn_until(*loop_, [this] { return client_.texts.size() == 5; }));
  EXPECT_EQ(client_.texts, (std::vector<std::string>{"one", "two", "three", "", large}));
  EXPECT_EQ(server_.read_bytes(6).substr(0, 2), std::string("\x8a\x80")) << "an empty ping is answered by a pong";
  EXPECT_TRUE(client_.closed.empty());
}

TEST_F(WebSocketClientTest, AMessageIsOneMaskedTextFrame) {
  open();
  const std::string large(70'000, 'y');
  ASSERT_TRUE(client_.client->send(large));
  const std::string header = server_.read_bytes(14);
  EXPECT_EQ(header.substr(0, 10), std::string("\x81\xff\0\0\0\0\0\x01\x11\x70", 10));
  EXPECT_EQ(server_.read_bytes(70'000).size(), 70'000u);
  EXPECT_TRUE(turn_until(*loop_, [this] { return client_.sent == 1; }));
}

TEST_F(WebSocketClientTest, WhatIsNotOpenTakesNothing) {
  EXPECT_FALSE(client_.client->send("x"));
  client_.connect(server_.port());
  EXPECT_FALSE(client_.client->send("x"));
  EXPECT_FALSE(client_.client->is_open());
}

TEST_F(WebSocketClientTest, TheQueueIsBounded) {
  open();
  const std::string megabyte(std::size_t{1} << 20, 'z');
  int taken = 0;
  while (taken < 100 && client_.client->send(megabyte)) ++taken;
  EXPECT_GE(taken, 3);
  EXPECT_LT(taken, 100) << "the server reads nothing";
  server_.read_bytes(static_cast<std::size_t>(taken) * (megabyte.size() + 14));
  EXPECT_TRUE(turn_until(*loop_, [&] { return client_.sent == taken; }));
  EXPECT_TRUE(client_.client->send("and again"));
}

TEST_F(WebSocketClientTest, AnswersThatAreNoWebSocketEndInASentence) {
  struct Row {
    const char* rule;
    std::string answer;
    WebSocketEnd reason;
    int status;
    std::optional<std::chrono::seconds> retry_after;
    const char* body;
  };
  const Row rows[] = {
      {"a token that is not good",
       "HTTP/1.1 401 Unauthorized\r\nContent-Length: 13\r\n\r\nInvalid token",
       WebSocketEnd::refused,
       401,
       {},
       "Invalid token"},
      {"overload with a date that has passed",
       "HTTP/1.1 503 Service Unavailable\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
       WebSocketEnd::refused, 503, 0s, ""},
      {"overload with seconds", "HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", WebSocketEnd::refused,
       503, 7s, ""},
      {"a Retry-After that is neither",
       "HTTP/1.1 429 x\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n",
       WebSocketEnd::refused,
       429,
       {},
       ""},
      {"a redirect is not followed",
       "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/else\r\nContent-Length: 0\r\n\r\n",
       WebSocketEnd::refused,
       302,
       {},
       ""},
      {"a page without length is shortened and made printable",
       "HTTP/1.1 404 x\r\nConnection: close\r\n\r\n<html>\n\x1b[31m" + std::string(5000, 'p'),
       WebSocketEnd::refused,
       404,
       {},
       nullptr},
      {"no WebSocket key was answered",
       "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
       WebSocketEnd::protocol_error,
       0,
       {},
       ""},
      {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", WebSocketEnd::protocol_error, 0, {}, ""},
      {"half an answer", "HTTP/1.1 101 Switching", WebSocketEnd::closed_by_peer, 0, {}, ""},
      {"nothing at all", "", WebSocketEnd::closed_by_peer, 0, {}, ""},
      {"headers without end",
       "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'h'),
       WebSocketEnd::protocol_error,
       0,
       {},
       ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    client_.closed.clear();
    client_.connect(server_.port());
    ASSERT_TRUE(server_.accept());
    ASSERT_FALSE(server_.read_until("\r\n\r\n").empty());
    server_.write(row.answer);
    server_.hang_up();
    ASSERT_TRUE(ended());
    const WebSocketClosed& end = client_.closed.front();
    EXPECT_EQ(end.reason, row.reason) << end.sentence;
    EXPECT_EQ(end.status, row.status);
    EXPECT_EQ(end.retry_after, row.retry_after);
    if (row.body != nullptr) {
      EXPECT_EQ(end.body, row.body);
    }
    EXPECT_LE(end.body.size(), 200u);
    EXPECT_EQ(end.sentence.find("s3cret"), std::string::npos);
    EXPECT_TRUE(std::ranges::all_of(end.sentence, [](char c) { return c >= ' ' && c <= '~'; })) << end.sentence;
    EXPECT_EQ(client_.opened, 0);
  }
}

TEST_F(WebSocketClientTest, ARetryDateInTheFutureIsATimeFromNow) {
  client_.connect(server_.port());
  ASSERT_TRUE(server_.accept());
  const std::time_t later = std::time(nullptr) + 600;
  char date[64];
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", std::gmtime(&later));
  server_.write("HTTP/1.1 503 x\r\nContent-Length: 0\r\nRetry-After: " + std::string(date) + "\r\n\r\n");
  ASSERT_TRUE(ended());
  ASSERT_TRUE(client_.closed.front().retry_after);
  EXPECT_LE(*client_.closed.front().retry_after, 600s);
  EXPECT_GT(*client_.closed.front().retry_after, 60s);
}

TEST_F(WebSocketClientTest, ASubprotocolThatNobodyOfferedIsRefused) {
  client_.connect(server_.port());
  server_.upgrade("Sec-WebSocket-Protocol: chat\r\n");
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.closed.front().reason, WebSocketEnd::protocol_error);
  EXPECT_EQ(client_.opened, 0);
}

TEST_F(WebSocketClientTest, FramesAgainstTheRulesEndTheConnectionAndNothingElse) {
  struct Row {
    const char* rule;
    std::string bytes;
    WebSocketEnd reason;
  };
  const Row rows[] = {
      {"garbage", "\xff\xfe\xfd\xfc garbage", WebSocketEnd::protocol_error},
      {"a masked frame from a server", frame(Opcode::text, "x", true, true), WebSocketEnd::protocol_error},
      {"a reserved bit", "\xc1\x01x", WebSocketEnd::protocol_error},
      {"a reserved opcode", "\x83\x01x", WebSocketEnd::protocol_error},
      {"a continuation of nothing", frame(Opcode::more, "x"), WebSocketEnd::protocol_error},
      {"a fragmented ping", frame(Opcode::ping, "x", false), WebSocketEnd::protocol_error},
      {"a ping of 126 bytes", frame(Opcode::ping, std::string(126, 'x')), WebSocketEnd::protocol_error},
      {"text that is not UTF-8", frame(Opcode::text, "\xff\xff"), WebSocketEnd::protocol_error},
      {"a frame above 16 MiB", frame(Opcode::text, "", true, false, kWebSocketFrameBytesMax + 1),
       WebSocketEnd::protocol_error},
      {"a frame of half the address space", frame(Opcode::text, "", true, false, std::size_t{1} << 62),
       WebSocketEnd::protocol_error},
      {"a close frame without reason", frame(Opcode::close, ""), WebSocketEnd::closed_by_peer},
      {"a close frame with one",
       frame(Opcode::close,
             "\x03\xe8"
             "bye\n"),
       WebSocketEnd::closed_by_peer},
      {"half a close code", frame(Opcode::close, "\x03"), WebSocketEnd::protocol_error},
      {"half a frame, then the end", frame(Opcode::text, "x", true, false, 10), WebSocketEnd::closed_by_peer},
      {"half a header, then the end", "\x81", WebSocketEnd::closed_by_peer},
      {"the end", "", WebSocketEnd::closed_by_peer},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    client_.closed.clear();
    client_.opened = 0;
    open();
    server_.write(row.bytes);
    if (row.reason == WebSocketEnd::closed_by_peer && !row.bytes.starts_with("\x88")) server_.hang_up();
    ASSERT_TRUE(ended());
    EXPECT_EQ(client_.closed.front().reason, row.reason) << client_.closed.front().sentence;
    EXPECT_EQ(client_.closed.front().sentence.find('\n'), std::string::npos);
    EXPECT_FALSE(client_.client->is_open());
    server_.hang_up();
  }
  EXPECT_TRUE(client_.texts.empty());
}

TEST_F(WebSocketClientTest, ACloseFrameIsAnswered) {
  open();
  server_.write(frame(Opcode::close, "\x03\xe8"));
  EXPECT_EQ(server_.read_bytes(2), "\x88\x82");
  EXPECT_TRUE(server_.read_end());
}

TEST_F(WebSocketClientTest, AMessageMayBeLargerThanAFrameMayBe) {
  open();
  const std::string part(kWebSocketFrameBytesMax, 'p');
  server_.write(frame(Opcode::text, part, false));
  server_.write(frame(Opcode::more, "end"));
  ASSERT_TRUE(turn_until(*loop_, [this] { return !client_.texts.empty(); }));
  EXPECT_EQ(client_.texts.front().size(), part.size() + 3);
}

TEST_F(WebSocketClientTest, AMessageEndsAt64Mebibytes) {
  open();
  const std::string part(kWebSocketFrameBytesMax, 'p');
  server_.write(frame(Opcode::text, part, false));
  for (int i = 0; i < 3; ++i) server_.write(frame(Opcode::more, part, false));
  server_.write(frame(Opcode::more, "x"));
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.closed.front().reason, WebSocketEnd::protocol_error);
}

TEST_F(WebSocketClientTest, ClosingSendsACodeAndEndsOnce) {
  open();
  ASSERT_TRUE(client_.client->send("last"));
  client_.client->close();
  EXPECT_FALSE(client_.client->send("later"));
  EXPECT_EQ(server_.read_bytes(10).substr(0, 2), "\x81\x84") << "what was queued goes first";
  EXPECT_EQ(server_.read_bytes(8).substr(0, 2), "\x88\x82");
  server_.write(frame(Opcode::close, "\x03\xe8"));
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.closed.front().reason, WebSocketEnd::ended);
  EXPECT_TRUE(server_.read_end());
  client_.client->close();
  loop_->turn(1ms);
  EXPECT_EQ(client_.closed.size(), 1u);
}

TEST_F(WebSocketClientTest, AServerThatIgnoresTheCloseFrameIsLeft) {
  open();
  client_.client->close();
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.closed.front().reason, WebSocketEnd::ended);
  EXPECT_TRUE(server_.read_end());
}

TEST_F(WebSocketClientTest, AnAttemptCanBeGivenUp) {
  client_.connect(server_.port());
  ASSERT_TRUE(server_.accept());
  client_.client->close();
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.closed.front().reason, WebSocketEnd::ended);
  EXPECT_TRUE(server_.read_end());
}

TEST_F(WebSocketClientTest, AnotherConnectReplacesTheConnectionInSilence) {
  open();
  server_.write(frame(Opcode::text, "old"));
  client_.connect(server_.port());
  EXPECT_TRUE(server_.read_end());
  server_.hang_up();
  server_.upgrade();
  ASSERT_TRUE(turn_until(*loop_, [this] { return client_.opened == 2; }));
  EXPECT_TRUE(client_.closed.empty());
  EXPECT_TRUE(client_.texts.empty()) << "what the earlier one had to say is not heard";
}

TEST_F(WebSocketClientTest, ADropIsSilent) {
  open();
  client_.client->drop();
  EXPECT_TRUE(server_.read_end());
  loop_->turn(1ms);
  EXPECT_TRUE(client_.closed.empty());
}

TEST_F(WebSocketClientTest, TheDestructorDropsWhateverTheStateIs) {
  open();
  server_.write(frame(Opcode::text, "x"));
  client_.client.reset();
  EXPECT_TRUE(server_.read_end());
}

TEST_F(WebSocketClientTest, TheNextAddressIsTriedWhenOneRefuses) {
  client_.connect(server_.port(), false, "portal.example",
                  {*IpAddress::parse("127.0.0.2"), *IpAddress::parse("::1"), *IpAddress::parse("127.0.0.1")});
  EXPECT_FALSE(server_.upgrade().empty());
  EXPECT_TRUE(turn_until(*loop_, [this] { return client_.opened == 1; }));
}

TEST_F(WebSocketClientTest, WithoutAnAnswerItSaysWhy) {
  client_.connect(server_.port(), false, "portal.example",
                  {*IpAddress::parse("127.0.0.2"), *IpAddress::parse("127.0.0.3")});
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.closed.front().reason, WebSocketEnd::could_not_connect);
  EXPECT_EQ(client_.closed.front().sentence,
            "portal.example cannot be reached: Connection refused (2 of 2 addresses tried)");
}

TEST_F(WebSocketClientTest, AnEmptyListOfAddressesIsAnError) {
  client_.connect(server_.port(), false, "portal.example", {});
  ASSERT_TRUE(ended());
  EXPECT_EQ(client_.closed.front().sentence, "portal.example cannot be reached: no address of it is known");
}

}  // namespace
}  // namespace fireline::io
