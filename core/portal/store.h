// What a portal must not forget: devices with their ids, tunnel addresses and key bases, and tokens.
// Source: portal specification 6.1 to 6.3. tools/portal/store.h keeps it in SQLite; tests keep it in a map.
//
// Promise: what was returned before commit() said yes is durable: a crash right after it loses nothing. Nothing that
// follows from it may leave the portal earlier. Threads: the control thread. Errors: `unavailable` is temporary (disk
// full, locked): answer 503, never 4xx. Lifetime: records are values; psk_base wipes itself.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"
#include "core/portal/common_messages.h"

namespace fireline::portal {

// Ten devices for each actor that a policy file may have. The addresses would do for twenty times as many.
inline constexpr std::size_t kDevicesMax = 100'000;
// Of one actor or site: one token that logs in under ever new ids must not take the others' places. A crowd of jobs
// with a new id each stays below it for a while, and then forgets its oldest ones.
inline constexpr std::size_t kDevicesOwnerMax = 1000;
// At one login, for a state file from before there were shares: some 10 ms.
inline constexpr std::size_t kForgottenMax = 1000;
inline constexpr std::size_t kTokensMax = 100'000;

enum class StoreError : std::uint8_t {
  unavailable,  // could not be read or written at this time
  full,         // kDevicesMax, kDevicesOwnerMax or kTokensMax
};

enum class DeviceKind : std::uint8_t { client, gateway };

// What makes a device the same one when it comes back.
struct DeviceKey {
  Uuid account;
  DeviceKind kind = DeviceKind::client;
  Uuid owner;               // actor of a client, site of a gateway
  std::string external_id;  // as sent
};

struct Device {
  Uuid id;
  DeviceKey key;
  std::string name;  // a client's first one, a gateway's latest one
  IpAddress ipv4;
  IpAddress ipv6;
  crypto::Key psk_base;
  Timestamp created = 0;
  Timestamp last_seen = 0;  // to the hour
};

enum class TokenKind : std::uint8_t { client, gateway, relay };
[[nodiscard]] constexpr std::string_view name_of(TokenKind kind) noexcept {
  switch (kind) {
    case TokenKind::client:
      return "client";
    case TokenKind::gateway:
      return "gateway";
    case TokenKind::relay:
      break;
  }
  return "relay";
}

// SHA-256 of the token's text; the text itself is kept nowhere. Finding a token by its hash needs no comparison in
// constant time: who does not know the token cannot choose its hash.
using TokenHash = std::array<std::byte, 32>;
[[nodiscard]] TokenHash token_hash(std::string_view token) noexcept;
// "flc_", "flg_" or "flr_" and 32 random bytes as base64url: the kind is for people, nobody reads it from the text. The
// caller shows it once and wipes it.
[[nodiscard]] std::string make_token(TokenKind kind, crypto::Random& random);

struct Token {
  Uuid id;
  TokenKind kind = TokenKind::client;
  Uuid owner;              // actor of a client token, site of a gateway token; zero for relays
  std::string owner_name;  // when it was made, for lists
  Timestamp created = 0;
  std::optional<Timestamp> expires;    // from this second on it is refused
  std::optional<Timestamp> last_used;  // to the minute
  std::optional<Timestamp> revoked;

  [[nodiscard]] bool valid(Timestamp now) const noexcept { return !revoked && (!expires || now < *expires); }
};

class Store {
 public:
  virtual ~Store() = default;

  // The device with this key, made when there is none: random id and psk_base, free addresses (6.3). A known one keeps
  // all of these; last_seen, and a gateway's name, become the given ones.
  [[nodiscard]] virtual Result<Device, StoreError> register_device(const DeviceKey& key, std::string_view name,
                                                                   Timestamp now) = 0;

  // last_seen of a known device that is connected, or was until now.
  [[nodiscard]] virtual Result<void, StoreError> device_seen(const Uuid& id, Timestamp now) = 0;

  // Makes room for a device with this key: forgets those of its account, kind and owner, or while that has not its
  // share and kDevicesMax is reached of whoever has the most (or has next to the most, where those are all spared; its
  // own in the end), that were seen least recently, until one more fits the share; one at least, kForgottenMax at most,
  // and none that is spared. Their addresses are free. Their ids. `full`: there is none that may go.
  [[nodiscard]] virtual Result<std::vector<Uuid>, StoreError> forget_devices(
      const DeviceKey& like, const std::function<bool(const Uuid&)>& spared) = 0;

  // Empty: no such token. Expired and revoked ones are found: ask valid().
  [[nodiscard]] virtual Result<std::optional<Token>, StoreError> find_token(const TokenHash& hash) = 0;
  [[nodiscard]] virtual Result<std::optional<Token>, StoreError> token(const Uuid& id) = 0;
  // Notes last_used.
  [[nodiscard]] virtual Result<void, StoreError> token_used(const Uuid& id, Timestamp now) = 0;

  // False: nothing that was stored since the last call is there.
  [[nodiscard]] virtual bool commit() = 0;

  // Whether somebody else (the token subcommands) wrote since the last call; cheap, ask every second. When it did, look
  // at the tokens of all connections again: they may be revoked.
  [[nodiscard]] virtual bool changed_elsewhere() = 0;
};

}  // namespace fireline::portal
