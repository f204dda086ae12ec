// One connection of a WebSocketServer from its acceptance to its end: TLS, request, decision, then a WebSocketPipe.
//
// Lifetime: make_shared; operations in flight keep it alive until the answer, the owner from an answer of 101 on.
// `gone` is the last hook and comes exactly once; `closed` comes once before it if the answer was 101. What hooks
// capture lives until the WebSocketThread has ended. Threads: answer(), send(), close(), unsent_bytes() from any; hooks
// on the WebSocketThread. Limits: WebSocketServerLimits.
#pragma once
#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "io/websocket_pipe.h"
#include "io/websocket_server.h"
#include "io/websocket_tls.h"

namespace fireline::io {

struct UpgradeText {
  std::string path;
  SecretBuffer query;
  std::string user_agent;
  SecretBuffer authorization;
};

class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  struct Hooks {
    std::move_only_function<void(UpgradeText)> upgrade;  // answer() is awaited
    std::move_only_function<void()> opened;
    std::move_only_function<void(SecretBuffer)> message;  // delivered() is awaited
    std::move_only_function<void(const std::string&)> closed;
    std::move_only_function<void()> gone;
  };

  // `load`: of all connections, outlives them.
  ServerConnection(WebSocketTransport::Socket socket, const WebSocketServerLimits& limits,
                   Counters<WebSocketServerCounter>& counters, WebSocketPipe::Load& load);

  void start(WebSocketTls* tls, Hooks hooks);

  void answer(const WebSocketAnswer& answer);
  void send(OutgoingText message);
  void delivered(std::size_t bytes) noexcept { pipe_->delivered(bytes); }
  void close();
  [[nodiscard]] std::size_t unsent_bytes() const noexcept { return pipe_->unsent_bytes(); }

 private:
  using Error = boost::system::error_code;
  using Counter = WebSocketServerCounter;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  void read_request();
  void on_request(Error error);
  void accept(Duration idle);
  void on_open(Error error, Duration idle);
  void on_ended(PipeEnd why, const std::string& text);
  void respond(int status, const std::string& body, std::optional<std::chrono::seconds> retry_after = {});
  void finish(const std::string& sentence);
  void take_letters();

  const WebSocketServerLimits& limits_;
  Counters<WebSocketServerCounter>& counters_;
  std::shared_ptr<WebSocketPipe> pipe_;
  Hooks hooks_;
  boost::asio::steady_timer patience_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::empty_body>> parser_;
  std::unique_ptr<Response> response_;
  // From send() to the thread that writes: one hand-over for all that come meanwhile.
  std::mutex mutex_;
  std::vector<OutgoingText> letters_;
  bool too_much_ = false;
  bool accepted_ = false;
  bool over_ = false;
};

}  // namespace fireline::io
