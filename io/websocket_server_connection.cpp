#include "io/websocket_server_connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <string_view>

namespace fireline::io {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

SecretBuffer secret(std::string_view text) {
  return {text.begin(), text.end()};
}

// What RFC 6455 section 4.2.1 asks for; Beast would find it out only behind the decision.
bool is_complete_upgrade(const http::request<http::empty_body>& request) {
  return websocket::is_upgrade(request) && standard(request[http::field::sec_websocket_version]) == "13" &&
         request.count(http::field::sec_websocket_key) == 1 && request.count(http::field::host) == 1;
}

}  // namespace

ServerConnection::ServerConnection(WebSocketTransport::Socket socket, const WebSocketServerLimits& limits,
                                   Counters<WebSocketServerCounter>& counters, WebSocketPipe::Load& load)
    : limits_(limits),
      counters_(counters),
      pipe_(std::make_shared<WebSocketPipe>(std::move(socket),
                                            WebSocketPipe::Limits{.frame_bytes = limits.message_bytes,
                                                                  .message_bytes = limits.message_bytes,
                                                                  .queue_bytes = limits.queue_bytes,
                                                                  .large_bytes = limits.large_bytes,
                                                                  .undelivered_bytes = 1,
                                                                  .unsent_pause = limits.unsent_pause,
                                                                  .stall = limits.stall,
                                                                  .pace = limits.pace,
                                                                  .load = &load})),
      patience_(pipe_->stream().get_executor()) {}

void ServerConnection::start(WebSocketTls* tls, Hooks hooks) {
  hooks_ = std::move(hooks);
  patience_.expires_after(limits_.request);
  patience_.async_wait([self = shared_from_this()](Error error) {
    if (error || self->over_) return;
    self->counters_.add(Counter::closed_timed_out);
    self->finish("it did not send its request in time");
  });
  if (tls == nullptr) return read_request();
  pipe_->transport().start_tls_server(*tls, [self = shared_from_this()](Error error) {
    if (self->over_) return;
    if (!error) return self->read_request();
    self->counters_.add(Counter::closed_tls);
    self->finish("its TLS handshake failed: " + error.message());
  });
}

void ServerConnection::answer(const WebSocketAnswer& answer) {
  asio::post(pipe_->stream().get_executor(), [self = shared_from_this(), answer] {
    if (answer.status != 101) {
      if (self->over_) return;
      self->counters_.add(Counter::refused_request);
      return self->respond(answer.status, answer.body, answer.retry_after);
    }
    self->accepted_ = true;
    if (self->over_) return self->finish({});
    self->accept(answer.idle);
  });
}

void ServerConnection::send(OutgoingText message) {
  const bool fits = pipe_->reserve(message);
  {
    const std::lock_guard lock(mutex_);
    const bool waiting = !letters_.empty() || too_much_;
    if (fits) letters_.push_back(std::move(message));
    too_much_ = too_much_ || !fits;
    if (waiting) return;
  }
  asio::post(pipe_->stream().get_executor(), [self = shared_from_this()] { self->take_letters(); });
}

void ServerConnection::take_letters() {
  std::vector<OutgoingText> letters;
  {
    const std::lock_guard lock(mutex_);
    if (too_much_) return pipe_->give_up_slow();
    letters.swap(letters_);
  }
  for (OutgoingText& letter : letters) pipe_->queue(std::move(letter));
}

void ServerConnection::close() {
  asio::post(pipe_->stream().get_executor(), [pipe = pipe_] { pipe->close(); });
}

void ServerConnection::read_request() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  http::async_read_header(pipe_->transport(), buffer_, *parser_,
                          [self = shared_from_this()](Error error, std::size_t) { self->on_request(error); });
}

void ServerConnection::on_request(Error error) {
  if (over_) return;
  if (error == http::error::end_of_stream || (error && error.category() == asio::error::get_system_category())) {
    return finish("it ended without a request");
  }
  if (error) {
    counters_.add(Counter::bad_request);
    return respond(error == http::error::header_limit ? 431 : 400, "not a request that this server reads\n");
  }
  const auto& request = parser_->get();
  const auto target = standard(request.target());
  const auto question = std::min(target.find('?'), target.size());
  const auto path = target.substr(0, question);
  if (!websocket::is_upgrade(request)) {
    const bool is_head = request.method() == http::verb::head;  // whose answer has no body
    if (path == "/healthz" && (is_head || request.method() == http::verb::get)) {
      counters_.add(Counter::health);
      return respond(200, {});
    }
    counters_.add(Counter::bad_request);
    return respond(404, is_head ? "" : "WebSocket only\n");
  }
  if (!is_complete_upgrade(request) || buffer_.size() != 0) {
    counters_.add(Counter::bad_request);
    return respond(400, "not a WebSocket request of version 13\n");
  }
  hooks_.upgrade({.path = std::string(path),
                  .query = secret(target.substr(std::min(question + 1, target.size()))),
                  .user_agent = std::string(standard(request[http::field::user_agent])),
                  .authorization = secret(standard(request["X-Authorization"]))});
}

void ServerConnection::accept(Duration idle) {
  pipe_->stream().async_accept(
      parser_->get(), [self = shared_from_this(), pipe = pipe_, idle](Error error) { self->on_open(error, idle); });
}

void ServerConnection::on_open(Error error, Duration idle) {
  parser_.reset();
  buffer_ = {};
  if (over_) return;
  if (error) return finish("its handshake failed: " + error.message());
  patience_.cancel();
  counters_.add(Counter::upgraded);
  hooks_.opened();
  // Weakly: the owner holds this object from its decision on, and the pipe must not hold its holder.
  const std::weak_ptr<ServerConnection> weak = weak_from_this();
  pipe_->start({.message =
                    [weak](SecretBuffer message) {
                      const auto self = weak.lock();
                      if (!self) return;
                      self->counters_.add(Counter::messages_in);
                      self->hooks_.message(std::move(message));
                    },
                .ended =
                    [weak](PipeEnd why, const std::string& text) {
                      if (const auto self = weak.lock()) self->on_ended(why, text);
                    },
                .sent =
                    [weak] {
                      if (const auto self = weak.lock()) self->counters_.add(Counter::messages_out);
                    }},
               idle);
}

void ServerConnection::on_ended(PipeEnd why, const std::string& text) {
  if (why == PipeEnd::idle) counters_.add(Counter::closed_idle);
  if (why == PipeEnd::slow) counters_.add(Counter::closed_slow);
  if (why == PipeEnd::protocol_error) counters_.add(Counter::closed_protocol);
  finish(why == PipeEnd::closed ? "closed from here" : text);
}

void ServerConnection::respond(int status, const std::string& body, std::optional<std::chrono::seconds> retry_after) {
  response_ = std::make_unique<Response>();
  response_->version(11);
  response_->result(static_cast<unsigned>(status));
  response_->set(http::field::content_type, "text/plain; charset=utf-8");
  response_->set(http::field::connection, "close");
  if (retry_after) response_->set(http::field::retry_after, std::to_string(retry_after->count()));
  response_->body() = body;
  response_->prepare_payload();
  http::async_write(pipe_->transport(), *response_, [self = shared_from_this()](Error, std::size_t) {
    self->pipe_->transport().shut_down();
    self->finish("answered");
  });
}

void ServerConnection::finish(const std::string& sentence) {
  const bool first = !std::exchange(over_, true);
  if (first) {
    patience_.cancel();
    pipe_->abort();
  }
  // The decision may come behind the end: then it is told as well.
  if (accepted_ && hooks_.closed) {
    auto closed = std::exchange(hooks_.closed, nullptr);
    closed(sentence.empty() ? "it ended before it was answered" : sentence);
  }
  if (first && hooks_.gone) {
    auto gone = std::exchange(hooks_.gone, nullptr);
    gone();
  }
}

}  // namespace fireline::io
