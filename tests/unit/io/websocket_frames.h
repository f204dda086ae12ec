// WebSocket frames as RFC 6455 section 5.2 draws them, right and wrong, and what a recording client is told.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/websocket_client.h"

namespace fireline::io {

enum class Opcode : unsigned { more = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// `length`: what the header claims, when that is not the truth.
inline std::string frame(Opcode opcode, std::string_view payload, bool final = true, bool masked = false,
                         std::size_t length = std::string::npos) {
  if (length == std::string::npos) length = payload.size();
  std::string out(1, static_cast<char>((final ? 0x80u : 0u) | static_cast<unsigned>(opcode)));
  const unsigned mask = masked ? 0x80u : 0u;
  const auto put = [&out](std::size_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xffu);
  };
  if (length < 126) {
    put(mask | length, 1);
  } else if (length < 65536) {
    put(mask | 126u, 1);
    put(length, 2);
  } else {
    put(mask | 127u, 1);
    put(length, 8);
  }
  if (masked) out.append(4, '\0');  // a mask of zeros changes nothing
  out += payload;
  return out;
}

struct RecordingClient {
  std::unique_ptr<WebSocketClient> client;
  int opened = 0;
  int sent = 0;
  std::vector<std::string> texts;
  std::vector<WebSocketClosed> closed;

  explicit RecordingClient(EventLoop& loop, const std::string& ca_file = {}) {
    auto made = WebSocketClient::make(loop, {.ca_file = ca_file},
                                      {.opened = [this] { ++opened; },
                                       .text = [this](std::string_view text) { texts.emplace_back(text); },
                                       .closed = [this](const WebSocketClosed& end) { closed.push_back(end); },
                                       .sent = [this] { ++sent; }});
    if (made) client = std::move(*made);
  }
  void connect(std::uint16_t port, bool tls = false, const std::string& host = "127.0.0.1",
               std::vector<IpAddress> addresses = {*IpAddress::parse("127.0.0.1")}) {
    constexpr std::string_view kTarget = "/client/websocket?token=s3cret&name=box";
    client->connect({.addresses = std::move(addresses),
                     .port = port,
                     .host = host,
                     .tls = tls,
                     .target = SecretBuffer(kTarget.begin(), kTarget.end()),
                     .user_agent = "Debian/12.0.0 headless-client/1.5.5 (x86_64; 6.1.0\xc3\xa4)",
                     .mark = {}});
  }
};

}  // namespace fireline::io
