// Devices, tokens and grants of a control plane in maps. Names stand for ids (tests/unit/core/policy/documents.h).
// Lifetime: plain. Threads: one.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/crypto/random.h"
#include "core/portal/server/grants.h"
#include "core/portal/store.h"

namespace fireline::portal {

class MapStore final : public Store {
 public:
  Result<Device, StoreError> register_device(const DeviceKey& key, std::string_view name, Timestamp now) override;
  Result<void, StoreError> device_seen(const Uuid& id, Timestamp now) override;
  Result<std::vector<Uuid>, StoreError> forget_devices(const DeviceKey& like,
                                                       const std::function<bool(const Uuid&)>& spared) override;
  Result<std::optional<Token>, StoreError> find_token(const TokenHash& hash) override;
  Result<std::optional<Token>, StoreError> token(const Uuid& id) override;
  Result<void, StoreError> token_used(const Uuid&, Timestamp) override { return {}; }
  bool commit() override { return !broken; }
  bool changed_elsewhere() override { return false; }

  Token& add_token(std::string_view text, TokenKind kind, std::string_view owner);
  Token& named(std::string_view text);

  bool broken = false;
  std::size_t owner_max = kDevicesOwnerMax;
  std::map<std::string, Device> devices;
  std::map<TokenHash, Token> tokens;
};

class MapGrants final : public GrantStore {
 public:
  std::vector<std::pair<GrantKey, Grant>> load() override { return {grants.begin(), grants.end()}; }
  void put(const GrantKey& key, const Grant& grant) override { grants[key] = grant; }
  void remove(const GrantKey& key) override { grants.erase(key); }
  void commit() override {}
  std::map<GrantKey, Grant> grants;
};

// SplitMix64 from a fixed seed.
class ScriptedRandom final : public crypto::Random {
 public:
  void fill(Bytes bytes) noexcept override {
    for (std::byte& byte : bytes) {
      std::uint64_t z = state_ += 0x9E37'79B9'7F4A'7C15;
      z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
      byte = std::byte((z ^ (z >> 27)) >> 56);
    }
  }

 private:
  std::uint64_t state_ = 0;
};

}  // namespace fireline::portal
