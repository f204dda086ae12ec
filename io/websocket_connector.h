// Connects to one of several addresses: the next one is tried 250 ms later or as soon as one fails (RFC 8305 section
// 5), the first that answers is taken. Within kTcpPatience for all of them (portal specification 1.5, which tries them
// one after another: there one silent address uses up the time of all).
//
// Lifetime: make_shared; keeps itself alive until `done`, which comes exactly once and never from within start(),
// unless cancel() was called. Threads: the WebSocketThread's. Limits: kAddressesMax.
#pragma once
#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"

namespace fireline::io {

class WebSocketConnector : public std::enable_shared_from_this<WebSocketConnector> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  struct Failure {
    bool timed_out = false;
    std::string text;  // "Connection refused (2 addresses tried)"
  };
  using Done = std::move_only_function<void(Result<Socket, Failure>)>;

  static constexpr std::size_t kAddressesMax = 20;  // as many as can be begun in kTcpPatience

  explicit WebSocketConnector(boost::asio::io_context& context);

  // TCP_NODELAY is set, SO_MARK where one is given.
  void start(const std::vector<IpAddress>& addresses, std::uint16_t port, std::optional<std::uint32_t> mark, Done done);
  void cancel();

 private:
  using Error = boost::system::error_code;

  void begin_next();
  [[nodiscard]] Error begin(const boost::asio::ip::tcp::endpoint& endpoint);
  void on_connected(std::size_t attempt, Error error);
  void finish(Result<Socket, Failure> result);
  [[nodiscard]] std::string tried() const;

  boost::asio::io_context& context_;
  boost::asio::steady_timer next_timer_;
  boost::asio::steady_timer patience_;
  std::vector<boost::asio::ip::tcp::endpoint> endpoints_;
  std::vector<std::unique_ptr<Socket>> attempts_;  // begun, in the order of endpoints_
  std::size_t running_ = 0;
  std::optional<std::uint32_t> mark_;
  Error last_error_;
  Done done_;
};

}  // namespace fireline::io
