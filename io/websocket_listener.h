// Listening TCP sockets of a WebSocketServer: takes connections in, at most so many in all and from one source.
//
// Lifetime: outlives the WebSocketThread's run. Threads: listen() before that; the rest on it. Errors: listen() gives
// one sentence. Limits: connections_max and connections_source_max of WebSocketServerLimits; with no descriptor left it
// looks again after 100 ms.
#pragma once
#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "io/websocket_server.h"

namespace fireline::io {

class WebSocketListener {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  // Exactly one leave(source) must follow.
  using Accepted = std::move_only_function<void(Socket, const Endpoint& source)>;

  WebSocketListener(boost::asio::io_context& context, const WebSocketServerLimits& limits,
                    Counters<WebSocketServerCounter>& counters, Accepted accepted);

  [[nodiscard]] Result<Endpoint, std::string> listen(const Endpoint& endpoint);
  void start();
  void leave(const Endpoint& source);

  // Any thread.
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.load(std::memory_order_relaxed); }

 private:
  using Error = boost::system::error_code;
  struct Door {
    explicit Door(boost::asio::io_context& context) : acceptor(context), pause(context) {}
    boost::asio::ip::tcp::acceptor acceptor;
    boost::asio::steady_timer pause;
  };

  void accept(Door& door);
  void take_in(Socket socket);

  boost::asio::io_context& context_;
  const WebSocketServerLimits& limits_;
  Counters<WebSocketServerCounter>& counters_;
  Accepted accepted_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::atomic<std::size_t> connections_{0};
  std::unordered_map<IpAddress, std::size_t> sources_;
};

}  // namespace fireline::io
