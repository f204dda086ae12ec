#include "core/tunnel/gateway_table.h"

#include <algorithm>

namespace fireline::tunnel {

ConnectedGateway& GatewayTable::insert(const Uuid& id, const crypto::PublicKey& key) {
  erase(id);
  auto& gateway = gateways_[id] = std::make_unique<ConnectedGateway>();
  gateway->id = id;
  gateway->connection = id.to_string();
  gateway->key = key;
  by_key_[key] = gateway.get();
  return *gateway;
}

void GatewayTable::erase(const Uuid& id) noexcept {
  const auto found = gateways_.find(id);
  if (found == gateways_.end()) return;
  const auto key = by_key_.find(found->second->key);
  if (key != by_key_.end() && key->second == found->second.get()) by_key_.erase(key);
  gateways_.erase(found);
}

ConnectedGateway* GatewayTable::find(const Uuid& id) noexcept {
  const auto found = gateways_.find(id);
  return found == gateways_.end() ? nullptr : found->second.get();
}

ConnectedGateway* GatewayTable::find_by_key(const crypto::PublicKey& key) noexcept {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

ConnectedGateway* GatewayTable::find_by_address(ConstBytes address) noexcept {
  for (const auto& [id, gateway] : gateways_) {
    const ConstBytes own = address.size() == 4 ? gateway->ipv4.bytes() : gateway->ipv6.bytes();
    if (std::ranges::equal(own, address)) return gateway.get();
  }
  return nullptr;
}

}  // namespace fireline::tunnel
