// The gateways that a client is connected or connecting to, what each of them has, and which sources are its.
// Source: tunnel specification 2.5, 2.6. Lifetime: entries stay where they are until they are erased. Threads: one
// owner. Limit: the node's connections. Look-ups do not allocate.
#pragma once
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/crypto/keys.h"
#include "core/wireguard/allowed_ips.h"

namespace fireline::tunnel {

struct ConnectedGateway : wireguard::AllowedIpsOwner {
  Uuid id;
  std::string connection;  // its name in the node: the id as text
  crypto::PublicKey key;
  IpAddress ipv4;
  IpAddress ipv6;
  Uuid site;
  bool established = false;
  bool silent = false;               // it was, when it was last looked at
  std::set<Uuid> resources;          // that were given to it
  std::vector<Prefix> destinations;  // what the node sends to it
  std::vector<Prefix> sources;       // what may come from it, whoever else serves the same network
  wireguard::AllowedIps sources_table;
};

class GatewayTable {
 public:
  // In place of one with the same id.
  ConnectedGateway& insert(const Uuid& id, const crypto::PublicKey& key);
  void erase(const Uuid& id) noexcept;

  [[nodiscard]] ConnectedGateway* find(const Uuid& id) noexcept;
  [[nodiscard]] ConnectedGateway* find_by_key(const crypto::PublicKey& key) noexcept;
  // 4 or 16 bytes in network order: its tunnel address.
  [[nodiscard]] ConnectedGateway* find_by_address(ConstBytes address) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return gateways_.size(); }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [id, gateway] : gateways_) visit(*gateway);
  }

  template <class Visit>
  void for_each(Visit&& visit) {
    for (const auto& [id, gateway] : gateways_) visit(*gateway);
  }

 private:
  std::unordered_map<Uuid, std::unique_ptr<ConnectedGateway>> gateways_;
  std::unordered_map<crypto::PublicKey, ConnectedGateway*> by_key_;
};

}  // namespace fireline::tunnel
