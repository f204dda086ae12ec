// The static rendezvous file of fireline-lab-node: what a portal would tell both ends, as JSON. It holds the secrets of
// both, so nobody else may read it (mode 0600). It is a lab's means, not a product's.
//
//   {"client":  {"id", "private_key", "ice": {"username", "password"}, "addresses": ["100.64.0.1/32", …]},
//    "gateway": {…, "routes": ["172.20.0.0/16", …]},
//    "preshared_key",
//    "relays": [{"id", "addresses": ["203.0.113.101:3478", …],
//                "client": {"username", "password"}, "gateway": {"username", "password"}}, …]}
//
// Keys are 64 hex digits. Lifetime: a value. Threads: any. Start-up only.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/crypto/keys.h"
#include "core/ice/credentials.h"
#include "core/node/node_options.h"
#include "core/turn/relay_entries.h"

namespace fireline::lab {

inline constexpr std::size_t kRendezvousBytesMax = std::size_t{1} << 20;  // some hundred routes and 16 relays

struct Party {
  std::string id;
  crypto::Key private_key;
  ice::Credentials ice;
  std::vector<Prefix> addresses;  // in the tunnel
  std::vector<Prefix> routes;     // behind it

  // What the other end lets this one send from.
  [[nodiscard]] std::vector<Prefix> allowed_ips() const;
};

struct Rendezvous {
  Party client;
  Party gateway;
  crypto::Key preshared_key;
  std::array<std::vector<turn::RelayEntry>, 2> relays;  // by NodeRole: with that end's credentials

  [[nodiscard]] const Party& own(node::NodeRole role) const noexcept {
    return role == node::NodeRole::client ? client : gateway;
  }
  [[nodiscard]] const Party& other(node::NodeRole role) const noexcept {
    return role == node::NodeRole::client ? gateway : client;
  }
};

// The error is one sentence that names the place, never a secret.
[[nodiscard]] Result<Rendezvous, std::string> parse_rendezvous(std::string_view json);
[[nodiscard]] Result<Rendezvous, std::string> read_rendezvous(const std::string& path);

}  // namespace fireline::lab
