// One connection of a WebSocketClient from its first SYN to its end: TCP, TLS, handshake, then a WebSocketPipe.
//
// Lifetime: make_shared; keeps itself alive until `opened`, then the owner holds it. Of the events `closed` is the last
// and comes exactly once, unless drop() was called; what they capture lives until the WebSocketThread has ended.
// Threads: everything from any; what is not said to be so runs on the WebSocketThread. Limits: those of
// websocket_client.h.
#pragma once
#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/message.hpp>
#include <functional>
#include <memory>
#include <string>

#include "io/websocket_client.h"
#include "io/websocket_connector.h"
#include "io/websocket_pipe.h"
#include "io/websocket_tls.h"

namespace fireline::io {

class ClientSession : public std::enable_shared_from_this<ClientSession> {
 public:
  struct Events {  // on the WebSocketThread
    std::move_only_function<void(std::shared_ptr<WebSocketPipe>)> opened;
    std::move_only_function<void(SecretBuffer)> message;
    std::move_only_function<void()> sent;
    std::move_only_function<void(WebSocketClosed)> closed;
  };

  ClientSession(boost::asio::io_context& context, WebSocketTls& tls, WebSocketRequest request, Events events);

  void start();
  void close();
  void drop();

 private:
  using Error = boost::system::error_code;
  using Response = boost::beast::websocket::response_type;

  void connect();
  void on_connected(Result<WebSocketConnector::Socket, WebSocketConnector::Failure> result);
  void on_tls(Error error);
  void upgrade();
  void on_answer(Error error);
  void on_refused();
  void on_open();
  void on_ended(PipeEnd why, const std::string& text);
  void fail(WebSocketEnd reason, const std::string& what);
  void finish(WebSocketClosed closed);

  boost::asio::io_context& context_;
  WebSocketTls& tls_;
  WebSocketRequest request_;
  Events events_;
  std::shared_ptr<WebSocketConnector> connector_;
  std::shared_ptr<WebSocketPipe> pipe_;
  std::unique_ptr<Response> response_;
  boost::asio::steady_timer patience_;
  bool open_ = false;
  bool over_ = false;
};

}  // namespace fireline::io
