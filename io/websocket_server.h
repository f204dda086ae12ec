// WebSocket (RFC 6455) listeners for a control plane with a few thousand connections, over TCP or TLS. Boost.Beast
// behind it, on a thread of its own; decisions and messages on the loop's thread.
//
// An upgrade request is handed to `upgrade`, which accepts or refuses it, or leaves that to answer(). `opened` comes
// when the 101 is on its way; then `text` for each message, in order; then one `closed`. No subprotocol, no extension,
// no ping frames (portal specification 1.3, 1.11). GET /healthz is answered 200 as long as the thread lives; anything
// else that is no upgrade 404. Lifetime: loop and callbacks outlive the server. A callback may call everything here,
// but must not destroy the server. Threads: everything on the loop's thread; the counters may be read from any. Limits:
// WebSocketServerLimits. A connection whose messages the loop does not take in time is not read further, nor is one
// that does not read itself. Secrets: queries are wiped where they are ours; no sentence holds one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "io/event_loop.h"

namespace fireline::io {

// Never reused within a process.
enum class WebSocketId : std::uint64_t { none = 0 };

struct WebSocketServerLimits {
  std::size_t connections_max = 4096;              // with those that have not sent their request yet
  std::size_t connections_source_max = 1024;       // of one IPv4 address or IPv6 /64: a whole office behind one NAT
  std::size_t header_bytes = 16384;                // a token, a device id and a name of 255 characters, percent-encoded
  std::size_t message_bytes = 1u << 18;            // a program's messages stay below 10 KiB
  std::size_t queue_bytes = std::size_t{4} << 20;  // unsent output of one connection, but for its largest message
  // One message that takes more than a quarter of queue_bytes comes on top: an `init` with 10,000 resources in several
  // sites, or 100,000 grants. Programs take no larger frame (portal specification 1.13).
  std::size_t large_bytes = std::size_t{16} << 20;
  std::size_t unsent_pause = 1u << 16;               // a connection with that much unsent output is not read
  std::size_t unsent_bytes = std::size_t{12} << 20;  // of all: above it no message is handed over, until it is less
  Duration stall = std::chrono::seconds(10);         // a connection with unsent output that takes nothing of it
  // While messages wait for that: whoever does not take a 32nd of its output in that time goes. That is 1.6 Mbit/s for
  // all together or for one that owes 12 MiB, and 8 kbit/s for one that owes 64 KiB.
  Duration pace = std::chrono::seconds(2);
  Duration request = std::chrono::seconds(15);  // TLS handshake and request
};

struct WebSocketServerOptions {
  std::vector<Endpoint> endpoints;  // port 0 takes any free one
  std::string certificate_file{};   // PEM chain; empty: plain TCP
  std::string key_file{};
  WebSocketServerLimits limits{};
};

struct WebSocketUpgrade {
  WebSocketId id = WebSocketId::none;
  Endpoint source;
  std::string_view path;           // "/client/websocket"
  std::string_view query;          // behind the question mark, as sent; holds the token
  std::string_view user_agent;     // empty: none
  std::string_view authorization;  // of X-Authorization; empty: none
  bool tls = false;
};

struct WebSocketAnswer {
  int status = 101;                                   // 101 accepts; anything else refuses with that status
  std::string body;                                   // of a refusal, text/plain
  std::optional<std::chrono::seconds> retry_after{};  // of a refusal
  Duration idle = Duration::zero();                   // closed when nothing came for that long; zero: never
};

struct WebSocketServerCallbacks {
  // Empty: answer() follows, whatever happens to the connection meanwhile.
  std::move_only_function<std::optional<WebSocketAnswer>(const WebSocketUpgrade&)> upgrade;
  std::move_only_function<void(WebSocketId)> opened;
  std::move_only_function<void(WebSocketId, std::string_view message)> text;
  // After an accepted `upgrade`, exactly once, also when `opened` never came. The sentence is for the log.
  std::move_only_function<void(WebSocketId, const std::string& sentence)> closed;
};

enum class WebSocketServerCounter : std::uint8_t {
  accepted,          // TCP connections taken in
  upgraded,          // answered 101
  health,            // GET or HEAD of /healthz
  messages_in,       // whole messages
  messages_out,      // handed to the kernel
  refused_full,      // connections_max
  refused_source,    // connections_source_max
  refused_request,   // by `upgrade`
  bad_request,       // not HTTP, too long, no upgrade
  closed_timed_out,  // no request in time
  closed_idle,       // nothing came for the time that `upgrade` gave
  closed_slow,       // did not read: queue_bytes, stall, pace
  closed_protocol,   // frames against RFC 6455, or message_bytes
  closed_tls,        // TLS handshake failed
  count_
};
[[nodiscard]] std::string_view name_of(WebSocketServerCounter counter) noexcept;  // "websocket.upgraded"

class WebSocketServer {
 public:
  // Listens and starts the thread. The error is one sentence: an endpoint that is taken, a certificate that does not
  // fit its key.
  [[nodiscard]] static Result<std::unique_ptr<WebSocketServer>, std::string> listen(
      EventLoop& loop, const WebSocketServerOptions& options, WebSocketServerCallbacks callbacks);
  ~WebSocketServer();  // drops every connection; no callback follows
  WebSocketServer(const WebSocketServer&) = delete;
  WebSocketServer& operator=(const WebSocketServer&) = delete;

  // Once for each `upgrade` that gave no answer.
  void answer(WebSocketId id, const WebSocketAnswer& answer);
  // One text message; order is kept. Ignored when the connection is gone. A connection whose queue is full is closed.
  void send(WebSocketId id, std::string message);
  // The same for a text that many are sent: it is kept once, and not wiped.
  void send(WebSocketId id, std::shared_ptr<const std::string> message);
  // Sends what is queued, then a close frame with code 1000; gone after 1 s at most. `closed` follows.
  void close(WebSocketId id);

  // For the connections that come from now on; the present ones go on with theirs. Of a server with TLS alone. The
  // error is one sentence: nothing has changed then.
  [[nodiscard]] Result<void, std::string> replace_certificate(const std::string& certificate_file,
                                                              const std::string& key_file);

  // As bound, in the order of the options.
  [[nodiscard]] const std::vector<Endpoint>& endpoints() const noexcept;
  [[nodiscard]] std::size_t connections() const noexcept;
  [[nodiscard]] std::size_t unsent_bytes() const noexcept;
  // Of one connection; 0 when it is gone.
  [[nodiscard]] std::size_t unsent_bytes(WebSocketId id) const noexcept;
  [[nodiscard]] const Counters<WebSocketServerCounter>& counters() const noexcept;

 private:
  class Impl;
  explicit WebSocketServer(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fireline::io
