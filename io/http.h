// A small HTTP/1.1 server on the control thread for health, status, metrics and commands that fit a query: one request
// per connection, its body unread.
// Boost.Beast parses (included by http.cpp alone); sockets are those of stream_server.h, so nothing blocks.
//
// A page that a browser loads from elsewhere must not read it: a request with an Origin header is refused (403), and
// while the server listens on a loopback address so is one whose Host is no loopback literal (names that somebody
// else's DNS points at 127.0.0.1). Lifetime: loop and handler outlive the server. Threads: the loop's. Limits:
// kHttpLimits, kHealthLimits; headers of at most kHttpHeaderBytesMax, no body.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "io/stream_server.h"

namespace fireline::io {

inline constexpr std::size_t kHttpHeaderBytesMax = 8192;  // as common proxies allow; a scraper sends some hundred
// A scraper and some curious people; a whole exchange in ten seconds.
inline constexpr StreamLimits kHttpLimits{.clients_max = 16,
                                          .input_bytes = kHttpHeaderBytesMax,
                                          .stall = std::chrono::seconds(10),
                                          .idle = std::chrono::seconds(10),
                                          .displace = true};
// Of a health check, which everybody may reach: it asks at once, and its answer is one packet.
inline constexpr StreamLimits kHealthLimits{.clients_max = 16,
                                            .input_bytes = kHttpHeaderBytesMax,
                                            .stall = std::chrono::seconds(2),
                                            .idle = std::chrono::seconds(2),
                                            .displace = true};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow{};  // with 405: the methods that there are
};

// The path of a GET or HEAD, without its query. Other methods are answered 405.
using HttpHandler = std::function<HttpResponse(std::string_view path)>;

struct HttpRequest {
  std::string_view method;  // "GET", "POST"; "GET" of a HEAD too, whose answer is sent without its body
  std::string_view path;
  std::string_view query;  // behind the question mark, as sent
};
// Any method: the handler answers 405 to those that it does not know.
using HttpRequestHandler = std::function<HttpResponse(const HttpRequest&)>;
// Value of a parameter of the query, decoded; nothing when it is missing or not well encoded.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);

class HttpServer {
 public:
  // Port 0 takes any free one. The error is bind's or listen's errno.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>, std::error_code> listen(EventLoop& loop, Endpoint endpoint,
                                                                                   HttpHandler handler,
                                                                                   StreamLimits limits = kHttpLimits);
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>, std::error_code> listen_for(
      EventLoop& loop, Endpoint endpoint, HttpRequestHandler handler, StreamLimits limits = kHttpLimits);

  // As bound.
  [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }
  [[nodiscard]] std::size_t clients() const noexcept { return server_->clients(); }

 private:
  HttpServer(FileDescriptor socket, Endpoint endpoint, HttpRequestHandler handler) noexcept;

  FileDescriptor socket_;
  Endpoint endpoint_;
  HttpRequestHandler handler_;
  std::unique_ptr<StreamServer> server_;
};

[[nodiscard]] bool is_loopback(const IpAddress& address) noexcept;
// "127.0.0.1", "127.0.0.1:80", "[::1]:80", "localhost:80": literals that no foreign DNS can give out.
[[nodiscard]] bool is_loopback_host(std::string_view host) noexcept;

// The session of one connection; `loopback` as explained above. For tests and fuzzing.
[[nodiscard]] std::unique_ptr<StreamSession> make_http_session(HttpRequestHandler handler, bool loopback);
[[nodiscard]] HttpRequestHandler only_get(HttpHandler handler);

}  // namespace fireline::io
