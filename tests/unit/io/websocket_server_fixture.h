// A WebSocketServer on the loopback address, and peers that a test plays byte by byte.
#pragma once
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/file_descriptor.h"
#include "io/websocket_server.h"
#include "tests/unit/io/scripted_server.h"
#include "tests/unit/io/websocket_frames.h"

namespace fireline::io {

inline constexpr std::string_view kUpgrade =
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
    // Left alone it grows while its owner reads, to 32 MiB on newer kernels: a reader that sleeps would take all.
    const int bytes = 200'000;
    EXPECT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
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
  bool counted(WebSocketServerCounter counter, std::uint64_t value = 1) {
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

}  // namespace fireline::io
