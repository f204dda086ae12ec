#include "io/http.h"

#include <sys/socket.h>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "io/socket_address.h"

namespace fireline::io {
namespace {

namespace http = boost::beast::http;

constexpr int kBacklog = 64;

std::error_code last_error() noexcept {
  return {errno, std::system_category()};
}

std::string_view standard(boost::beast::string_view text) noexcept {
  return {text.data(), text.size()};
}

// Percent-encoding and plus signs undone (application/x-www-form-urlencoded).
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const auto digits = text.substr(i + 1, 2);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

std::string_view reason_of(int status) noexcept {
  const auto reason = http::obsolete_reason(static_cast<http::status>(status));
  return standard(reason);
}

void append_response(SecretBuffer& out, const HttpResponse& response, bool with_body = true) {
  append(out, "HTTP/1.1 " + std::to_string(response.status) + " ");
  append(out, reason_of(response.status));
  append(out, "\r\nContent-Type: " + response.content_type);
  append(out, "\r\nContent-Length: " + std::to_string(response.body.size()));
  if (!response.allow.empty()) append(out, "\r\nAllow: " + response.allow);
  append(out, "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
  if (with_body) append(out, response.body);
}

class HttpSession final : public StreamSession {
 public:
  HttpSession(HttpRequestHandler handler, bool loopback) noexcept : handler_(std::move(handler)), loopback_(loopback) {}

  // A header is parsed when it is complete: it is small, and a parser that keeps no state needs none checked.
  Step take(std::string_view input, bool ended, SecretBuffer& output) override {
    const auto end = input.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (input.size() >= kHttpHeaderBytesMax) {
        append_response(output, {.status = 431, .body = "the request's header is too long\n"});
        return {.consumed = 0, .close = true};
      }
      return {.consumed = 0, .close = ended};
    }
    const auto [response, head] = answer(input.substr(0, end + 4));
    append_response(output, response, !head);
    return {.consumed = input.size(), .close = true};
  }
  [[nodiscard]] bool is_idle() const override { return false; }

 private:
  struct Answer {
    HttpResponse response;
    bool head = false;  // of a HEAD: its header alone is sent
  };
  [[nodiscard]] Answer answer(std::string_view header) const;
  [[nodiscard]] std::optional<HttpResponse> refusal(const http::request<http::empty_body>& request) const;

  HttpRequestHandler handler_;
  bool loopback_;
};

HttpSession::Answer HttpSession::answer(std::string_view header) const {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kHttpHeaderBytesMax);
  parser.eager(false);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(header.data(), header.size()), error);
  if ((error && error != http::error::need_more) || !parser.is_header_done()) {
    return {.response = {.status = 400, .body = "not a request of HTTP/1.1\n"}};
  }
  const auto method = standard(parser.get().method_string());
  const bool head = method == "HEAD";
  if (auto refused = refusal(parser.get())) return {.response = std::move(*refused), .head = head};
  const auto target = standard(parser.get().target());
  const auto question = std::min(target.find('?'), target.size());
  const auto query = target.substr(std::min(question + 1, target.size()));
  // RFC 9110 section 9.3.2.
  return {.response = handler_({.method = head ? "GET" : method, .path = target.substr(0, question), .query = query}),
          .head = head};
}

std::optional<HttpResponse> HttpSession::refusal(const http::request<http::empty_body>& request) const {
  if (request.count(http::field::origin) != 0) {
    return HttpResponse{.status = 403, .body = "requests from web pages are refused\n"};
  }
  if (request.count(http::field::host) > 1 || (request.version() >= 11 && request.count(http::field::host) == 0)) {
    return HttpResponse{.status = 400, .body = "a request needs one Host\n"};
  }
  if (loopback_ && !is_loopback_host(standard(request[http::field::host]))) {
    return HttpResponse{.status = 403, .body = "on a loopback address the Host must be one: use 127.0.0.1\n"};
  }
  return std::nullopt;
}

}  // namespace

HttpServer::HttpServer(FileDescriptor socket, Endpoint endpoint, HttpRequestHandler handler) noexcept
    : socket_(std::move(socket)), endpoint_(endpoint), handler_(std::move(handler)) {}

Result<std::unique_ptr<HttpServer>, std::error_code> HttpServer::listen(EventLoop& loop, Endpoint endpoint,
                                                                        HttpHandler handler, StreamLimits limits) {
  return listen_for(loop, endpoint, only_get(std::move(handler)), limits);
}

Result<std::unique_ptr<HttpServer>, std::error_code> HttpServer::listen_for(EventLoop& loop, Endpoint endpoint,
                                                                            HttpRequestHandler handler,
                                                                            StreamLimits limits) {
  const int family = endpoint.address.is_v4() ? AF_INET : AF_INET6;
  FileDescriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return err(last_error());
  // A restart must not wait for the old connections' TIME_WAIT; a listening process still keeps others out.
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) return err(last_error());
  auto address = to_socket_address(endpoint);
  if (::bind(socket.get(), address.get(), address.length) != 0) return err(last_error());
  if (::listen(socket.get(), kBacklog) != 0) return err(last_error());
  if (::getsockname(socket.get(), address.get(), &address.length) != 0) return err(last_error());
  endpoint = to_endpoint(address.storage, address.length, endpoint.address.family()).value_or(endpoint);

  std::unique_ptr<HttpServer> server(new HttpServer(std::move(socket), endpoint, std::move(handler)));
  const bool loopback = is_loopback(endpoint.address);
  server->server_ = std::make_unique<StreamServer>(
      loop, server->socket_.get(), limits,
      [self = server.get(), loopback] { return make_http_session(self->handler_, loopback); });
  if (!server->server_->is_serving()) return err(std::make_error_code(std::errc::too_many_files_open));
  return server;
}

bool is_loopback(const IpAddress& address) noexcept {
  static const auto kV4 = *Prefix::parse("127.0.0.0/8");
  static const auto kV6 = *Prefix::parse("::1/128");
  return kV4.contains(address) || kV6.contains(address);
}

bool is_loopback_host(std::string_view host) noexcept {
  // The port is not compared: a forwarded port has another number.
  const auto colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    const auto port = host.substr(colon + 1);
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (port.empty() || error != std::errc{} || end != port.data() + port.size()) return false;
    host = host.substr(0, colon);
  }
  if (boost::beast::iequals({host.data(), host.size()}, "localhost")) return true;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const auto address = IpAddress::parse(bracketed ? host.substr(1, host.size() - 2) : host);
  return address && address->is_v4() != bracketed && is_loopback(*address);
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(field.size() + 1, query.size()));
    const auto equals = field.find('=');
    if (field.substr(0, equals) != name || equals == std::string_view::npos) continue;
    return decoded(field.substr(equals + 1));
  }
  return std::nullopt;
}

HttpRequestHandler only_get(HttpHandler handler) {
  return [handler = std::move(handler)](const HttpRequest& request) -> HttpResponse {
    if (request.method != "GET") return {.status = 405, .body = "only GET\n", .allow = "GET, HEAD"};
    return handler(request.path);
  };
}

std::unique_ptr<StreamSession> make_http_session(HttpRequestHandler handler, bool loopback) {
  return std::make_unique<HttpSession>(std::move(handler), loopback);
}

}  // namespace fireline::io
