#include "tests/unit/core/portal/server/map_store.h"

#include <algorithm>

#include "core/crypto/sha256.h"
#include "tests/unit/core/policy/documents.h"

namespace fireline::portal {

Result<Device, StoreError> MapStore::register_device(const DeviceKey& key, std::string_view name, Timestamp now) {
  if (broken) return err(StoreError::unavailable);
  const auto of_owner =
      std::ranges::count_if(devices, [&](const auto& entry) { return entry.second.key.owner == key.owner; });
  if (!devices.contains(key.external_id) && static_cast<std::size_t>(of_owner) >= owner_max) {
    return err(StoreError::full);
  }
  const auto [place, fresh] = devices.try_emplace(key.external_id);
  Device& device = place->second;
  if (fresh) {
    device.id = policy::id_of(key.external_id);
    device.key = key;
    const auto last = static_cast<std::uint8_t>(devices.size() + 1);
    device.ipv4 = IpAddress::parse("100.64.0." + std::to_string(last)).value();
    device.ipv6 = IpAddress::parse("fd00:2021:1111::" + std::to_string(last)).value();
    const std::string psk_seed = "psk " + key.external_id;
    device.psk_base = crypto::Key(crypto::sha256({std::as_bytes(std::span(psk_seed))}));
    device.created = now;
  }
  device.name = name;
  device.last_seen = now;
  return device;
}

Result<void, StoreError> MapStore::device_seen(const Uuid& id, Timestamp now) {
  for (auto& [name, device] : devices) {
    if (device.id == id) device.last_seen = now;
  }
  return {};
}

Result<std::vector<Uuid>, StoreError> MapStore::forget_devices(const DeviceKey& like,
                                                               const std::function<bool(const Uuid&)>& spared) {
  std::vector<Device> own;
  for (const auto& [name, device] : devices) {
    if (device.key.owner == like.owner) own.push_back(device);
  }
  const std::size_t wanted = own.size() < owner_max ? 1 : own.size() - owner_max + 1;
  std::erase_if(own, [&](const Device& device) { return spared(device.id); });
  if (own.empty()) return err(StoreError::full);
  std::ranges::stable_sort(own, {}, &Device::last_seen);
  own.resize(std::min(wanted, own.size()));
  std::vector<Uuid> gone;
  for (const Device& device : own) {
    devices.erase(device.key.external_id);
    gone.push_back(device.id);
  }
  return gone;
}

Result<std::optional<Token>, StoreError> MapStore::find_token(const TokenHash& hash) {
  if (broken) return err(StoreError::unavailable);
  const auto found = tokens.find(hash);
  if (found == tokens.end()) return std::optional<Token>();
  return std::optional(found->second);
}

Result<std::optional<Token>, StoreError> MapStore::token(const Uuid& id) {
  if (broken) return err(StoreError::unavailable);
  for (const auto& [hash, token] : tokens) {
    if (token.id == id) return std::optional(token);
  }
  return std::optional<Token>();
}

Token& MapStore::add_token(std::string_view text, TokenKind kind, std::string_view owner) {
  Token& token = tokens[token_hash(text)];
  token.id = policy::id_of(text);
  token.kind = kind;
  token.owner = policy::id_of(owner);
  return token;
}

Token& MapStore::named(std::string_view text) {
  return tokens.at(token_hash(text));
}

}  // namespace fireline::portal
