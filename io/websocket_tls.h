// What TLS connections of one kind have in common: trust, certificate, versions (portal specification 1.4). OpenSSL
// behind it, through Asio.
// Lifetime: outlives the connections made with it. Threads: make on any; shared read-only. Errors: one sentence.
#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace fireline::io {

class WebSocketTls {
 public:
  // TLS 1.2 and 1.3; trusts the system's certificates and those of `ca_file` (PEM; empty: none).
  [[nodiscard]] static Result<WebSocketTls, std::string> make_client(const std::string& ca_file);
  // PEM files; the certificate's chain follows it.
  [[nodiscard]] static Result<WebSocketTls, std::string> make_server(const std::string& certificate_file,
                                                                     const std::string& key_file);
  WebSocketTls(WebSocketTls&&) noexcept;
  WebSocketTls& operator=(WebSocketTls&&) noexcept;
  ~WebSocketTls();

  [[nodiscard]] boost::asio::ssl::context& get() noexcept { return *context_; }

 private:
  explicit WebSocketTls(std::unique_ptr<boost::asio::ssl::context> context) noexcept;
  std::unique_ptr<boost::asio::ssl::context> context_;
};

}  // namespace fireline::io
