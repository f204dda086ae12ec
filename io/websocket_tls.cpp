#include "io/websocket_tls.h"

#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <boost/asio/ssl/context.hpp>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace fireline::io {
namespace {

namespace ssl = boost::asio::ssl;

std::unique_ptr<ssl::context> make(ssl::context::method method) {
  auto context = std::make_unique<ssl::context>(method);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Connections idle for most of their time: their 34 KiB of buffers are given back.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

// OpenSSL's error for a file that is not there names none.
std::string why(const std::string& file, const boost::system::error_code& error) {
  errno = 0;
  if (std::ifstream(file).is_open() || errno == 0) return error.message() + ": use a PEM file";
  return std::generic_category().message(errno);
}

}  // namespace

WebSocketTls::WebSocketTls(std::unique_ptr<ssl::context> context) noexcept : context_(std::move(context)) {}
WebSocketTls::WebSocketTls(WebSocketTls&&) noexcept = default;
WebSocketTls& WebSocketTls::operator=(WebSocketTls&&) noexcept = default;
WebSocketTls::~WebSocketTls() = default;

Result<WebSocketTls, std::string> WebSocketTls::make_client(const std::string& ca_file) {
  auto context = make(ssl::context::tls_client);
  boost::system::error_code error;
  // A host without any certificates of its own may still have a ca_file, or talk plain text.
  context->set_default_verify_paths(error);
  if (!ca_file.empty()) {
    context->load_verify_file(ca_file, error);
    if (error) return err("cannot read certificates from " + ca_file + ": " + why(ca_file, error));
  }
  context->set_verify_mode(ssl::verify_peer, error);
  return WebSocketTls(std::move(context));
}

Result<WebSocketTls, std::string> WebSocketTls::make_server(const std::string& certificate_file,
                                                            const std::string& key_file) {
  auto context = make(ssl::context::tls_server);
  boost::system::error_code error;
  context->use_certificate_chain_file(certificate_file, error);
  if (error) return err("cannot read the certificate " + certificate_file + ": " + why(certificate_file, error));
  context->use_private_key_file(key_file, ssl::context::pem, error);
  if (error) return err("cannot read the key " + key_file + ": " + why(key_file, error));
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return err("the key " + key_file + " does not belong to the certificate " + certificate_file);
  }
  return WebSocketTls(std::move(context));
}

}  // namespace fireline::io
