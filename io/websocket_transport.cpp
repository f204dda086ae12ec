#include "io/websocket_transport.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <boost/asio/ssl/stream.hpp>

#include "core/base/endpoint.h"

namespace fireline::io {

namespace ssl = boost::asio::ssl;

struct WebSocketTransport::Tls {
  Tls(Socket& socket, ssl::context& context) : stream(socket, context) {}
  ssl::stream<Socket&> stream;
};

WebSocketTransport::WebSocketTransport(Socket socket) : socket_(std::move(socket)) {}

WebSocketTransport::~WebSocketTransport() = default;

void WebSocketTransport::start_tls_client(WebSocketTls& context, const std::string& host, HandshakeDone done) {
  tls_ = std::make_unique<Tls>(socket_, context.get());
  SSL* const handle = tls_->stream.native_handle();
  if (IpAddress::parse(host)) {  // an address has no place in the server name (RFC 6066 section 3)
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), host.c_str());
  } else {
    // What SSL_set_tlsext_host_name() stands for, without its C cast.
    SSL_ctrl(handle, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str()));
    SSL_set1_host(handle, host.c_str());
  }
  tls_->stream.async_handshake(ssl::stream_base::client, std::move(done));
}

void WebSocketTransport::start_tls_server(WebSocketTls& context, HandshakeDone done) {
  tls_ = std::make_unique<Tls>(socket_, context.get());
  tls_->stream.async_handshake(ssl::stream_base::server, std::move(done));
}

std::string WebSocketTransport::certificate_error() const {
  if (!tls_) return {};
  const long result = SSL_get_verify_result(tls_->stream.native_handle());
  return result == X509_V_OK ? std::string() : X509_verify_cert_error_string(result);
}

std::uint64_t WebSocketTransport::acknowledged_bytes() noexcept {
  int unacknowledged = 0;
  if (::ioctl(socket_.native_handle(), SIOCOUTQ, &unacknowledged) != 0 || unacknowledged < 0) return written_bytes_;
  return written_bytes_ - std::min(written_bytes_, static_cast<std::uint64_t>(unacknowledged));
}

bool WebSocketTransport::is_writable() noexcept {
  pollfd socket{.fd = socket_.native_handle(), .events = POLLOUT, .revents = 0};
  return ::poll(&socket, 1, 0) == 1;
}

void WebSocketTransport::shut_down() noexcept {
  Error ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void WebSocketTransport::close() noexcept {
  Error ignored;
  socket_.close(ignored);
}

void WebSocketTransport::read(const std::vector<boost::asio::mutable_buffer>& buffers, Done done) {
  if (tls_) return tls_->stream.async_read_some(buffers, std::move(done));
  socket_.async_read_some(buffers, std::move(done));
}

void WebSocketTransport::write(const std::vector<boost::asio::const_buffer>& buffers, Done done) {
  // The handler keeps the owner of this object alive.
  auto counted = [this, done = std::move(done)](Error error, std::size_t bytes) mutable {
    written_bytes_ += bytes;
    done(error, bytes);
  };
  if (tls_) return tls_->stream.async_write_some(buffers, std::move(counted));
  socket_.async_write_some(buffers, std::move(counted));
}

}  // namespace fireline::io
