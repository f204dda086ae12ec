#include "io/websocket_listener.h"

#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "io/socket_address.h"

namespace fireline::io {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::chrono::milliseconds kPause{100};
constexpr unsigned kSourceBits = 64;  // what one IPv6 subscriber has at least

// The kernel's own answer, so that no second conversion of addresses is needed.
template <class Query>
std::optional<Endpoint> endpoint_of(int fd, Query query) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  if (query(fd, address.get(), &address.length) != 0) return std::nullopt;
  return to_endpoint(address.storage, address.length, address.storage.ss_family == AF_INET ? Family::v4 : Family::v6);
}

std::string_view fix_of(int code, bool v4) noexcept {
  switch (code) {
    case EADDRINUSE:
      return ": choose another port or end the program that has this one";
    case EACCES:
      return ": run as root, grant CAP_NET_BIND_SERVICE, or choose a port over 1023";
    case EADDRNOTAVAIL:
      return ": no interface has this address";
    case EAFNOSUPPORT:
      return v4 ? ": this host has no IPv4: choose an IPv6 address" : ": this host has no IPv6: choose an IPv4 address";
    default:
      return "";
  }
}

IpAddress source_key(const IpAddress& address) {
  return address.is_v4() ? address : Prefix::make(address, kSourceBits)->address();
}

}  // namespace

WebSocketListener::WebSocketListener(asio::io_context& context, const WebSocketServerLimits& limits,
                                     Counters<WebSocketServerCounter>& counters, Accepted accepted)
    : context_(context), limits_(limits), counters_(counters), accepted_(std::move(accepted)) {}

Result<Endpoint, std::string> WebSocketListener::listen(const Endpoint& endpoint) {
  const auto wrong = [&](const Error& error) {
    return err("cannot listen on TCP " + endpoint.to_string() + ": " + error.message() +
               std::string(fix_of(error.value(), endpoint.address.is_v4())));
  };
  auto door = std::make_unique<Door>(context_);
  tcp::acceptor& acceptor = door->acceptor;
  Error error;
  acceptor.open(endpoint.address.is_v4() ? tcp::v4() : tcp::v6(), error);
  if (error) return wrong(error);
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && !endpoint.address.is_v4()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (error) return wrong(error);
  const SocketAddress address = to_socket_address(endpoint);
  if (::bind(acceptor.native_handle(), address.get(), address.length) != 0) {
    return wrong({errno, boost::system::system_category()});
  }
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return wrong(error);
  const auto bound = endpoint_of(acceptor.native_handle(), ::getsockname);
  doors_.push_back(std::move(door));
  return bound.value_or(endpoint);
}

void WebSocketListener::start() {
  for (auto& door : doors_) accept(*door);
}

void WebSocketListener::leave(const Endpoint& source) {
  connections_.fetch_sub(1, std::memory_order_relaxed);
  const auto found = sources_.find(source_key(source.address));
  if (found != sources_.end() && --found->second == 0) sources_.erase(found);
}

void WebSocketListener::accept(Door& door) {
  door.acceptor.async_accept([this, &door](Error error, Socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      take_in(std::move(socket));
      return accept(door);
    }
    door.pause.expires_after(kPause);
    door.pause.async_wait([this, &door](Error stopped) {
      if (!stopped) accept(door);
    });
  });
}

void WebSocketListener::take_in(Socket socket) {
  counters_.add(WebSocketServerCounter::accepted);
  const auto source = endpoint_of(socket.native_handle(), ::getpeername);
  if (!source) return;  // gone already
  if (connections() >= limits_.connections_max) return counters_.add(WebSocketServerCounter::refused_full);
  const IpAddress key = source_key(source->address);
  const auto known = sources_.find(key);
  if (known != sources_.end() && known->second >= limits_.connections_source_max) {
    return counters_.add(WebSocketServerCounter::refused_source);
  }
  ++sources_[key];
  connections_.fetch_add(1, std::memory_order_relaxed);
  Error ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  accepted_(std::move(socket), *source);
}

}  // namespace fireline::io
