// One WebSocket (RFC 6455) to a server, over TCP or TLS, for the control thread. Boost.Beast behind it, on a thread of
// its own: name it once, connect as often as needed.
//
// Source: portal specification 1.3 to 1.5 and 1.13; RFC 8305 (addresses are tried 250 ms apart or as soon as one
// fails). The request has exactly the headers Host (without port), Connection, Upgrade, Sec-WebSocket-Version,
// Sec-WebSocket-Key and user-agent, in that order. Text and binary messages are handed over alike; pings are answered,
// a close frame too. Every connection ends in exactly one `closed`, unless connect() or drop() replaced it: then it
// ends in silence. Lifetime: loop and callbacks outlive the client. A callback may call everything here, but must not
// destroy the client. Threads: everything on the loop's thread. Limits: kWebSocketFrameBytesMax,
// kWebSocketMessageBytesMax, kTcpPatience, kOpenPatience, kClosePatience; kWebSocketQueueBytesMax waits to be sent. No
// function blocks; the destructor drops. Secrets: targets and messages are wiped where they are ours; no sentence holds
// a target.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "io/event_loop.h"
#include "io/secret_buffer.h"

namespace fireline::io {

// Portal specification 1.13.
inline constexpr std::size_t kWebSocketFrameBytesMax = std::size_t{16} << 20;
inline constexpr std::size_t kWebSocketMessageBytesMax = std::size_t{64} << 20;
// Programs queue 32 messages below 10 KiB each; whoever reads slower than that is not there.
inline constexpr std::size_t kWebSocketQueueBytesMax = std::size_t{4} << 20;
// All addresses together; a server that accepts and never answers; a peer that does not answer a close frame.
inline constexpr Duration kTcpPatience = std::chrono::seconds(5);
inline constexpr Duration kOpenPatience = std::chrono::seconds(15);
inline constexpr Duration kClosePatience = std::chrono::seconds(1);

enum class WebSocketEnd : std::uint8_t {
  could_not_connect,  // no address answered, or none was given
  timed_out,          // kTcpPatience or kOpenPatience is over
  bad_certificate,    // it does not verify; trying again does not help
  tls_error,          // any other failure of TLS
  refused,            // an HTTP answer other than 101: see `status`
  protocol_error,     // not HTTP, not a WebSocket, or a limit above
  closed_by_peer,     // a close frame, or the end of the stream
  ended,              // close() was called and is done
};

struct WebSocketClosed {
  WebSocketEnd reason = WebSocketEnd::ended;
  std::string sentence;                             // for people; no target, no newline
  int status = 0;                                   // of `refused`
  std::optional<std::chrono::seconds> retry_after;  // of `refused`: Retry-After, from now
  std::string body;                                 // of `refused`: its first printable characters
};

struct WebSocketRequest {
  std::vector<IpAddress> addresses;  // in the order in which they are tried
  std::uint16_t port = 443;
  std::string host;                   // as in the URL, an IPv6 literal without brackets
  bool tls = true;                    // the certificate must be for `host`
  SecretBuffer target;                // path and query
  std::string user_agent;             // characters outside of visible ASCII and space are left out
  std::optional<std::uint32_t> mark;  // SO_MARK
};

struct WebSocketCallbacks {
  std::move_only_function<void()> opened;
  std::move_only_function<void(std::string_view message)> text;
  std::move_only_function<void(const WebSocketClosed&)> closed;
  // For each message that send() took, in order, once the kernel has all of it. May be empty.
  std::move_only_function<void()> sent{};
};

struct WebSocketClientOptions {
  std::string ca_file;  // certificates trusted beside the system's, PEM; empty: none
};

class WebSocketClient {
 public:
  // Starts the thread. The error is one sentence: a ca_file that cannot be read, no descriptors.
  [[nodiscard]] static Result<std::unique_ptr<WebSocketClient>, std::string> make(EventLoop& loop,
                                                                                  const WebSocketClientOptions& options,
                                                                                  WebSocketCallbacks callbacks);
  ~WebSocketClient();
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  // Drops what there is and connects anew.
  void connect(WebSocketRequest request);
  // One text message, after `opened`; order is kept. False when there is no open connection or the queue is full:
  // nothing of it is sent then.
  [[nodiscard]] bool send(std::string_view message);
  // Close frame with code 1000; `closed` follows within kClosePatience. Ends a connection attempt at once.
  void close();
  // Without a close frame and without `closed`.
  void drop();

  [[nodiscard]] bool is_open() const noexcept;

 private:
  class Impl;
  explicit WebSocketClient(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fireline::io
