// A TCP connection, with TLS or without, as Boost.Beast's algorithms want their stream (AsyncStream). The two are told
// apart behind plain functions, so that those algorithms, which compile slowly, exist once.
//
// Lifetime: operations in flight keep nothing alive: their handlers have to. Threads: the WebSocketThread's. Included
// by io/websocket*.cpp and their private headers alone.
#pragma once
#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/string_type.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/websocket_tls.h"

namespace fireline::io {

class WebSocketTransport {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Error = boost::system::error_code;
  using executor_type = Socket::executor_type;
  using Done = std::move_only_function<void(Error, std::size_t)>;
  using HandshakeDone = std::move_only_function<void(Error)>;

  explicit WebSocketTransport(Socket socket);
  ~WebSocketTransport();
  WebSocketTransport(const WebSocketTransport&) = delete;
  WebSocketTransport& operator=(const WebSocketTransport&) = delete;

  [[nodiscard]] executor_type get_executor() { return socket_.get_executor(); }

  // Before anything is read or written. The client names the host and wants its certificate; the server has its own.
  void start_tls_client(WebSocketTls& context, const std::string& host, HandshakeDone done);
  void start_tls_server(WebSocketTls& context, HandshakeDone done);
  // Why the peer's certificate was refused; empty: it was not.
  [[nodiscard]] std::string certificate_error() const;

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    read({boost::asio::buffer_sequence_begin(buffers), boost::asio::buffer_sequence_end(buffers)},
         Done(std::forward<Handler>(handler)));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    write({boost::asio::buffer_sequence_begin(buffers), boost::asio::buffer_sequence_end(buffers)},
          Done(std::forward<Handler>(handler)));
  }

  // That the kernel, or TLS, has taken.
  [[nodiscard]] std::uint64_t written_bytes() const noexcept { return written_bytes_; }
  // Of them, what the peer's kernel has acknowledged; with TLS by some bytes less.
  [[nodiscard]] std::uint64_t acknowledged_bytes() noexcept;
  // The kernel would take more: what is not written waits for us, not for the peer.
  [[nodiscard]] bool is_writable() noexcept;

  // No more output; what was written is still delivered.
  void shut_down() noexcept;
  // Everything in flight fails with operation_aborted.
  void close() noexcept;

 private:
  struct Tls;
  void read(const std::vector<boost::asio::mutable_buffer>& buffers, Done done);
  void write(const std::vector<boost::asio::const_buffer>& buffers, Done done);

  Socket socket_;
  std::unique_ptr<Tls> tls_;
  std::uint64_t written_bytes_ = 0;
};

// Of Beast's own kind of view.
inline std::string_view standard(boost::beast::string_view text) noexcept {
  return {text.data(), text.size()};
}

// How Beast ends a connection whose own time limits are over; it finds both functions by their argument.
inline void beast_close_socket(WebSocketTransport& transport) noexcept {
  transport.close();
}
// How Beast ends a connection behind the close frames. TLS's own farewell is left out: the close frames have been it.
template <class Handler>
void async_teardown(boost::beast::role_type, WebSocketTransport& transport, Handler&& handler) {
  transport.shut_down();
  boost::asio::post(transport.get_executor(),
                    [handler = std::forward<Handler>(handler)]() mutable { handler(boost::system::error_code{}); });
}

}  // namespace fireline::io
