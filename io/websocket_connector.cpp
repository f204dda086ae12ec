#include "io/websocket_connector.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>

#include "io/socket_address.h"
#include "io/websocket_client.h"

namespace fireline::io {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::chrono::milliseconds kApart{250};

tcp::endpoint to_asio(const IpAddress& address, std::uint16_t port) {
  const auto bytes = address.bytes();
  if (address.is_v4()) {
    asio::ip::address_v4::bytes_type v4;
    std::ranges::transform(bytes, v4.begin(), [](std::byte byte) { return std::to_integer<unsigned char>(byte); });
    return {asio::ip::address_v4(v4), port};
  }
  asio::ip::address_v6::bytes_type v6;
  std::ranges::transform(bytes, v6.begin(), [](std::byte byte) { return std::to_integer<unsigned char>(byte); });
  return {asio::ip::address_v6(v6), port};
}

}  // namespace

WebSocketConnector::WebSocketConnector(asio::io_context& context)
    : context_(context), next_timer_(context), patience_(context) {}

void WebSocketConnector::start(const std::vector<IpAddress>& addresses, std::uint16_t port,
                               std::optional<std::uint32_t> mark, Done done) {
  done_ = std::move(done);
  mark_ = mark;
  for (const IpAddress& address : addresses) {
    if (endpoints_.size() < kAddressesMax) endpoints_.push_back(to_asio(address, port));
  }
  patience_.expires_after(kTcpPatience);
  patience_.async_wait([self = shared_from_this()](Error error) {
    if (error) return;
    self->finish(err(Failure{.timed_out = true, .text = "no answer in 5 s" + self->tried()}));
  });
  asio::post(context_, [self = shared_from_this()] { self->begin_next(); });
}

void WebSocketConnector::cancel() {
  done_ = nullptr;
  attempts_.clear();
  next_timer_.cancel();
  patience_.cancel();
}

void WebSocketConnector::begin_next() {
  if (!done_) return;
  while (attempts_.size() < endpoints_.size()) {
    if (const Error error = begin(endpoints_[attempts_.size()])) {
      last_error_ = error;
      continue;
    }
    next_timer_.expires_after(kApart);
    next_timer_.async_wait([self = shared_from_this()](Error error) {
      if (!error) self->begin_next();
    });
    return;
  }
  if (running_ > 0) return;
  if (endpoints_.empty()) return finish(err(Failure{.timed_out = false, .text = "no address of it is known"}));
  finish(err(Failure{.timed_out = false, .text = last_error_.message() + tried()}));
}

WebSocketConnector::Error WebSocketConnector::begin(const tcp::endpoint& endpoint) {
  attempts_.push_back(std::make_unique<Socket>(context_));
  Socket& socket = *attempts_.back();
  Error error;
  socket.open(endpoint.protocol(), error);
  if (error) return error;
  socket.set_option(tcp::no_delay(true), error);
  if (error) return error;
  if (mark_) {
    const std::uint32_t mark = *mark_;
    if (::setsockopt(socket.native_handle(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
      return {errno, boost::system::system_category()};
    }
  }
  ++running_;
  socket.async_connect(endpoint, [self = shared_from_this(), attempt = attempts_.size() - 1](Error failed) {
    self->on_connected(attempt, failed);
  });
  return {};
}

void WebSocketConnector::on_connected(std::size_t attempt, Error error) {
  if (!done_) return;
  --running_;
  if (!error) return finish(std::move(*attempts_[attempt]));
  last_error_ = error;
  begin_next();
}

void WebSocketConnector::finish(Result<Socket, Failure> result) {
  if (!done_) return;
  Done done = std::move(done_);
  cancel();
  done(std::move(result));
}

std::string WebSocketConnector::tried() const {
  if (endpoints_.size() <= 1) return {};
  return " (" + std::to_string(attempts_.size()) + " of " + std::to_string(endpoints_.size()) + " addresses tried)";
}

}  // namespace fireline::io
