// Where a program logs in and as whom: the portal's URL and its query, which holds the token.
// Source: portal specification 1.1 and 1.5. Lifetime: values; the target wipes itself and is never logged. Threads:
// any. Errors: one sentence without the token.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/crypto/keys.h"
#include "core/crypto/secret_text.h"
#include "core/portal/role.h"

namespace fireline::portal {

// Also for ws://, as the portals of Firezone expect. Unlike Firezone an explicit port is always taken as it stands,
// and hosts may be IPv6 literals.
inline constexpr std::uint16_t kDefaultPort = 443;

// What configuration names: "wss://api.firezone.dev/", "ws://[::1]:8081/base". http and https mean ws and wss. A query
// or fragment is dropped.
class PortalUrl {
 public:
  [[nodiscard]] static Result<PortalUrl, std::string> parse(std::string_view text);

  [[nodiscard]] bool tls() const noexcept { return tls_; }
  // Lower case; an IPv6 literal without brackets.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  // The host is an address and needs no resolution.
  [[nodiscard]] const std::optional<IpAddress>& address() const noexcept { return address_; }
  // "/client/websocket", behind the path of the URL.
  [[nodiscard]] std::string path_of(Role role) const;
  // For people: "wss://api.firezone.dev/", with the port when it is not 443.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const PortalUrl&, const PortalUrl&) = default;

 private:
  bool tls_ = true;
  std::string host_;
  std::uint16_t port_ = kDefaultPort;
  std::optional<IpAddress> address_;
  std::string path_;  // without a trailing slash: empty or "/base"
};

// Everything that is empty stays out of the query, except external_id of clients and gateways.
struct LoginIdentity {
  Role role = Role::client;
  crypto::SecretText token;  // trimmed by LoginUrl: files and secrets end in a newline
  std::string external_id;   // clients and gateways: see device_identity.h
  std::string name;
  std::optional<IpAddress> ipv4;  // relays
  std::optional<IpAddress> ipv6;
  std::uint16_t port = 3478;
  std::string device_serial;  // clients
  std::string device_uuid;
  crypto::PublicKey public_key;  // clients and gateways
};

class LoginUrl {
 public:
  LoginUrl(PortalUrl portal, const LoginIdentity& identity);

  [[nodiscard]] const PortalUrl& portal() const noexcept { return portal_; }
  // Path and query for the request line.
  [[nodiscard]] std::string_view target() const noexcept { return target_.view(); }

  friend bool operator==(const LoginUrl&, const LoginUrl&) = default;

 private:
  PortalUrl portal_;
  crypto::SecretText target_;
};

}  // namespace fireline::portal
