#include "io/websocket_client_session.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <charconv>
#include <ctime>
#include <optional>
#include <string_view>

namespace fireline::io {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr std::size_t kBodyExcerpt = 200;                     // characters that a person reads
constexpr std::chrono::seconds kRetryAfterMax{24 * 60 * 60};  // nobody means more

std::string visible(std::string_view text) {
  std::string out;
  std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return c >= ' ' && c <= '~'; });
  return out;
}

// The headers of portal specification 1.3 in its order; the key is Beast's.
void rewrite_headers(websocket::request_type& request, const std::string& host, const std::string& user_agent) {
  const std::string key(standard(request[http::field::sec_websocket_key]));
  const std::string target(standard(request.target()));
  request.clear();
  request.method(http::verb::get);
  request.target(target);
  request.version(11);
  request.insert(http::field::host, host);
  request.insert(http::field::connection, "Upgrade");
  request.insert(http::field::upgrade, "websocket");
  request.insert(http::field::sec_websocket_version, "13");
  request.insert(http::field::sec_websocket_key, key);
  request.insert("user-agent", user_agent);
}

// Seconds or a date of HTTP (RFC 9110 section 10.2.3).
std::optional<std::chrono::seconds> retry_after(std::string_view value) {
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc{} && end == value.data() + value.size()) {
    return std::min(std::chrono::seconds(seconds), kRetryAfterMax);
  }
  std::tm date{};
  const std::string text(value);
  const char* const rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  const auto wait = std::chrono::seconds(::timegm(&date) - std::time(nullptr));
  return std::clamp(wait, std::chrono::seconds(0), kRetryAfterMax);
}

}  // namespace

ClientSession::ClientSession(asio::io_context& context, WebSocketTls& tls, WebSocketRequest request, Events events)
    : context_(context), tls_(tls), request_(std::move(request)), events_(std::move(events)), patience_(context) {}

void ClientSession::start() {
  asio::post(context_, [self = shared_from_this()] { self->connect(); });
}

void ClientSession::close() {
  asio::post(context_, [self = shared_from_this()] {
    if (self->over_) return;
    if (self->open_) return self->pipe_->close();
    self->finish(
        {.reason = WebSocketEnd::ended, .sentence = "the connection was given up", .retry_after = {}, .body = {}});
  });
}

void ClientSession::drop() {
  asio::post(context_, [self = shared_from_this()] {
    self->events_ = {};
    self->finish({});
  });
}

void ClientSession::connect() {
  if (over_) return;
  patience_.expires_after(kOpenPatience);
  patience_.async_wait([self = shared_from_this()](Error error) {
    if (!error) self->fail(WebSocketEnd::timed_out, "did not finish the handshake in 15 s");
  });
  connector_ = std::make_shared<WebSocketConnector>(context_);
  connector_->start(request_.addresses, request_.port, request_.mark,
                    [self = shared_from_this()](auto result) { self->on_connected(std::move(result)); });
}

void ClientSession::on_connected(Result<WebSocketConnector::Socket, WebSocketConnector::Failure> result) {
  if (over_) return;
  if (!result) {
    return fail(result.error().timed_out ? WebSocketEnd::timed_out : WebSocketEnd::could_not_connect,
                "cannot be reached: " + result.error().text);
  }
  pipe_ = std::make_shared<WebSocketPipe>(std::move(*result),
                                          WebSocketPipe::Limits{.frame_bytes = kWebSocketFrameBytesMax,
                                                                .message_bytes = kWebSocketMessageBytesMax,
                                                                .queue_bytes = kWebSocketQueueBytesMax});
  if (!request_.tls) return upgrade();
  pipe_->transport().start_tls_client(tls_, request_.host,
                                      [self = shared_from_this()](Error error) { self->on_tls(error); });
}

void ClientSession::on_tls(Error error) {
  if (over_) return;
  if (!error) return upgrade();
  const std::string refused = pipe_->transport().certificate_error();
  if (!refused.empty()) return fail(WebSocketEnd::bad_certificate, "has no valid certificate: " + refused);
  fail(WebSocketEnd::tls_error, "failed in the TLS handshake: " + error.message());
}

void ClientSession::upgrade() {
  const bool v6 = request_.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + request_.host + "]" : request_.host;
  pipe_->stream().set_option(
      websocket::stream_base::decorator([host, agent = visible(request_.user_agent)](websocket::request_type& request) {
        rewrite_headers(request, host, agent);
      }));
  response_ = std::make_unique<Response>();
  pipe_->stream().async_handshake(*response_, host,
                                  boost::beast::string_view(request_.target.data(), request_.target.size()),
                                  [self = shared_from_this(), pipe = pipe_](Error error) { self->on_answer(error); });
}

void ClientSession::on_answer(Error error) {
  request_.target.clear();
  if (over_) return;
  if (!error) return on_open();
  if (error == websocket::error::upgrade_declined) return on_refused();
  const bool not_http = error.category() == http::make_error_code(http::error::bad_version).category();
  const bool not_websocket = error == websocket::condition::handshake_failed;
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return fail(WebSocketEnd::closed_by_peer, "closed the connection before it answered");
  }
  if (not_http || not_websocket) {
    return fail(WebSocketEnd::protocol_error, "does not answer as a WebSocket server: " + error.message());
  }
  fail(request_.tls ? WebSocketEnd::tls_error : WebSocketEnd::closed_by_peer,
       "broke off before it answered: " + error.message());
}

void ClientSession::on_refused() {
  const int status = static_cast<int>(response_->result_int());
  std::string body = visible(response_->body().substr(0, kBodyExcerpt));
  std::string sentence = request_.host + " refused the connection: HTTP " + std::to_string(status);
  if (!body.empty()) sentence += " (" + body + ")";
  finish({.reason = WebSocketEnd::refused,
          .sentence = std::move(sentence),
          .status = status,
          .retry_after = retry_after(standard((*response_)[http::field::retry_after])),
          .body = std::move(body)});
}

void ClientSession::on_open() {
  // RFC 6455 section 4.1, points 5 and 6: nothing of either was asked for.
  if (response_->count(http::field::sec_websocket_protocol) != 0 ||
      response_->count(http::field::sec_websocket_extensions) != 0) {
    return fail(WebSocketEnd::protocol_error, "selected a subprotocol or an extension that nobody offered");
  }
  response_.reset();
  patience_.cancel();
  open_ = true;
  events_.opened(pipe_);
  // Weakly: the owner holds this object while the connection is open, and the pipe must not hold its holder.
  const std::weak_ptr<ClientSession> weak = weak_from_this();
  pipe_->start({.message =
                    [weak](SecretBuffer message) {
                      const auto self = weak.lock();
                      if (self && self->events_.message) self->events_.message(std::move(message));
                    },
                .ended =
                    [weak](PipeEnd why, const std::string& text) {
                      if (const auto self = weak.lock()) self->on_ended(why, text);
                    },
                .sent =
                    [weak] {
                      const auto self = weak.lock();
                      if (self && self->events_.sent) self->events_.sent();
                    }});
}

void ClientSession::on_ended(PipeEnd why, const std::string& text) {
  if (why == PipeEnd::closed) {
    return finish(
        {.reason = WebSocketEnd::ended, .sentence = "the connection was closed", .retry_after = {}, .body = {}});
  }
  if (why == PipeEnd::protocol_error) {
    return fail(WebSocketEnd::protocol_error, "broke the WebSocket protocol: " + text);
  }
  fail(WebSocketEnd::closed_by_peer, "closed the connection: " + text);
}

void ClientSession::fail(WebSocketEnd reason, const std::string& what) {
  finish({.reason = reason, .sentence = request_.host + " " + what, .retry_after = {}, .body = {}});
}

void ClientSession::finish(WebSocketClosed closed) {
  if (std::exchange(over_, true)) return;
  patience_.cancel();
  if (connector_) connector_->cancel();
  if (pipe_) pipe_->abort();
  request_.target.clear();
  Events events = std::move(events_);
  events_ = {};
  if (events.closed) events.closed(std::move(closed));
}

}  // namespace fireline::io
