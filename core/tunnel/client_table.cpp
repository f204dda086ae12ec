#include "core/tunnel/client_table.h"

#include <algorithm>
#include <tuple>

#include "core/tunnel/address_ranges.h"

namespace fireline::tunnel {

std::optional<GrantOutcome> ClientTable::refusal(const portal::AuthorizeFlow& flow) const noexcept {
  // A packet to any other address would never be looked up.
  const bool is_usable = flow.client_ipv4.is_v4() && is_tunnel_address(flow.client_ipv4.bytes()) &&
                         !flow.client_ipv6.is_v4() && is_tunnel_address(flow.client_ipv6.bytes());
  if (!is_usable) return GrantOutcome::bad_request;
  const GatewayClient* client = find(flow.client);
  if (client == nullptr) return std::nullopt;
  const ClientAccess::Change change = client->access.change_by(flow.resource);
  if (change == ClientAccess::Change::kind_changed) return GrantOutcome::kind_changed;
  if (change == ClientAccess::Change::full) return GrantOutcome::no_room;
  return std::nullopt;
}

void ClientTable::grant(const portal::AuthorizeFlow& flow) {
  displace(find(flow.client_key), flow.client);
  displace(find(flow.client_ipv4), flow.client);
  displace(find(flow.client_ipv6), flow.client);
  std::unique_ptr<GatewayClient>& slot = clients_[flow.client];
  if (slot == nullptr) {
    slot = std::make_unique<GatewayClient>();
    slot->id = flow.client;
  } else {
    unlink(*slot);
  }
  GatewayClient& client = *slot;
  client.key = flow.client_key;
  client.ipv4 = flow.client_ipv4;
  client.ipv6 = flow.client_ipv6;
  client.description = flow.description;
  client.connected = true;
  by_key_[client.key] = by_address_[client.ipv4] = by_address_[client.ipv6] = &client;
  const ClientAccess::Change change = client.access.grant(flow.resource, flow.expires_at);
  const bool is_new = change == ClientAccess::Change::added;
  counters_.add(is_new ? GatewayCounter::granted : GatewayCounter::granted_again);
  settle(client, GrantEnd::rejected);
}

void ClientTable::reject(const portal::RejectAccess& message) {
  GatewayClient* client = find(message.client);
  if (client == nullptr || !client->access.revoke(message.resource)) return;
  counters_.add(GatewayCounter::rejected);
  settle(*client, GrantEnd::rejected);
}

void ClientTable::update_expiry(const portal::AuthorizationExpiryUpdated& message) {
  GatewayClient* client = find(message.client);
  if (client == nullptr || !client->access.set_expiry(message.resource, message.expires_at)) return;
  settle(*client, GrantEnd::expired);
}

void ClientTable::update_resource(const policy::GatewayResource& resource, std::vector<Uuid>& other_kind) {
  for (const auto& [id, client] : clients_) {
    if (client->access.set_filters(resource) == ClientAccess::Change::kind_changed) other_kind.push_back(id);
  }
  changed();
}

void ClientTable::retain(std::span<const portal::Authorization> authorizations) {
  const auto key = [](const portal::Authorization& one) { return std::tie(one.client, one.resource); };
  std::vector<portal::Authorization> listed(authorizations.begin(), authorizations.end());
  // Of equal lines the one that grants most comes first: each is a grant that holds by itself.
  std::ranges::sort(listed, [&](const portal::Authorization& a, const portal::Authorization& b) {
    return key(a) != key(b) ? key(a) < key(b) : a.expires_at > b.expires_at;
  });
  for (auto next = clients_.begin(); next != clients_.end();) {
    GatewayClient& client = *(next++)->second;
    const std::size_t gone = client.access.retain([&](const Uuid& resource) -> std::optional<portal::Timestamp> {
      const auto line = std::ranges::lower_bound(listed, std::tie(client.id, resource), {}, key);
      if (line == listed.end() || key(*line) != std::tie(client.id, resource)) return std::nullopt;
      return line->expires_at;
    });
    counters_.add(GatewayCounter::not_listed, gone);
    settle(client, GrantEnd::not_listed);
  }
}

void ClientTable::expire(UnixTime wall) {
  if (wall < first_expiry_) return;
  first_expiry_ = kNever;
  for (auto next = clients_.begin(); next != clients_.end();) {
    GatewayClient& client = *(next++)->second;
    if (!expire(client, wall)) first_expiry_ = std::min(first_expiry_, client.access.next_expiry());
  }
}

bool ClientTable::expire(GatewayClient& client, UnixTime wall) {
  const std::size_t gone = client.access.expire(wall);
  if (gone == 0) return false;
  counters_.add(GatewayCounter::expired, gone);
  settle(client, GrantEnd::expired);
  return true;
}

void ClientTable::forget(const Uuid& id) {
  erase(id);
}

void ClientTable::set_connected(const Uuid& id, bool connected) {
  GatewayClient* client = find(id);
  if (client == nullptr) return;
  client->connected = connected;
  changed();
}

GatewayClient* ClientTable::find(const Uuid& id) const noexcept {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second.get();
}

GatewayClient* ClientTable::find(const crypto::PublicKey& key) const noexcept {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

GatewayClient* ClientTable::find(const IpAddress& address) const noexcept {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : found->second;
}

void ClientTable::displace(const GatewayClient* other, const Uuid& id) {
  if (other == nullptr || other->id == id) return;
  counters_.add(GatewayCounter::displaced, other->access.size());
  gone_.push_back({.client = other->id, .reason = GrantEnd::displaced});
  erase(other->id);
}

void ClientTable::settle(GatewayClient& client, GrantEnd reason) {
  changed();
  first_expiry_ = std::min(first_expiry_, client.access.next_expiry());
  if (!client.access.empty()) return;
  counters_.add(GatewayCounter::clients_gone);
  gone_.push_back({.client = client.id, .reason = reason});
  erase(client.id);
}

void ClientTable::unlink(const GatewayClient& client) {
  by_key_.erase(client.key);
  by_address_.erase(client.ipv4);
  by_address_.erase(client.ipv6);
}

void ClientTable::erase(const Uuid& id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  unlink(*found->second);
  clients_.erase(found);
  changed();
}

}  // namespace fireline::tunnel
