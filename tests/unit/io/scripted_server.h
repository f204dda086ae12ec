// A TCP server that a test plays by hand, byte by byte, between the turns of the event loop.
#pragma once
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "io/event_loop.h"
#include "io/file_descriptor.h"

namespace fireline::io {

// Patience of a failing test; a passing one never waits for it.
template <class Condition>
bool turn_until(EventLoop& loop, Condition condition) {
  for (int i = 0; i < 60000 && !condition(); ++i) loop.turn(std::chrono::milliseconds(5));
  return condition();
}

class ScriptedServer {
 public:
  explicit ScriptedServer(EventLoop& loop)
      : loop_(loop), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] bool is_connected() const noexcept { return static_cast<bool>(client_); }

  bool accept() {
    return turn_until(loop_, [this] {
      if (!client_) client_ = FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      return static_cast<bool>(client_);
    });
  }
  // Everything up to `end`, also if more has come.
  std::string read_until(std::string_view end) {
    turn_until(loop_, [&] {
      take();
      return ended_ || input_.find(end) != std::string::npos;
    });
    const auto found = input_.find(end);
    return cut(found == std::string::npos ? 0 : found + end.size());
  }
  std::string read_bytes(std::size_t bytes) {
    turn_until(loop_, [&] {
      take();
      return ended_ || input_.size() >= bytes;
    });
    return cut(std::min(bytes, input_.size()));
  }
  bool read_end() {
    return turn_until(loop_, [&] {
      take();
      return ended_;
    });
  }
  void write(std::string_view text) {
    turn_until(loop_, [&] {
      const auto sent = ::send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
      return text.empty() || (sent < 0 && errno != EAGAIN);
    });
  }
  void hang_up() {
    client_.reset();
    ended_ = false;
    input_.clear();
  }

  // Reads the request and accepts it; the request.
  std::string upgrade(std::string_view more_headers = {}) {
    if (!accept()) return {};
    const std::string request = read_until("\r\n\r\n");
    const std::string_view name = "Sec-WebSocket-Key: ";
    const auto key = request.find(name);
    if (key == std::string::npos) return request;
    const auto begin = key + name.size();
    write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
          accept_of(request.substr(begin, request.find("\r\n", begin) - begin)) + "\r\n" + std::string(more_headers) +
          "\r\n");
    return request;
  }
  // RFC 6455 section 4.2.2.
  static std::string accept_of(const std::string& key) {
    const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned bytes = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &bytes, EVP_sha1(), nullptr);
    std::array<unsigned char, 64> encoded{};
    const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(bytes));
    return {encoded.begin(), encoded.begin() + length};
  }

 private:
  void take() {
    std::array<char, 65536> chunk;
    while (!ended_) {
      const auto bytes = ::recv(client_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (bytes > 0) input_.append(chunk.data(), static_cast<std::size_t>(bytes));
      if (bytes == 0 || (bytes < 0 && errno != EAGAIN)) ended_ = true;
      if (bytes <= 0) return;
    }
  }
  std::string cut(std::size_t bytes) {
    std::string out = input_.substr(0, bytes);
    input_.erase(0, bytes);
    return out;
  }

  EventLoop& loop_;
  FileDescriptor listener_;
  FileDescriptor client_;
  std::uint16_t port_ = 0;
  std::string input_;
  bool ended_ = false;
};

}  // namespace fireline::io
