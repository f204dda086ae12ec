// Who may use the relay, and the long-term key that belongs to a username. Two kinds:
//   Firezone: stateless. USERNAME is "<expiry>:<salt>", the password is derived from both and the relay's secret.
//   static:   a list of users of a file.
// Secrets are zeroed when dropped and appear in no log. Threads: one owner.
// Source: relay specification section 1.4; RFC 8489 section 9.2.2.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/base/wire.h"
#include "core/crypto/random.h"
#include "core/crypto/secret_text.h"
#include "core/stun/integrity.h"

namespace fireline::relay {

using crypto::SecretText;

// What a username says before any signature is looked at.
struct UserLookup {
  stun::LongTermKey key;
  bool expired = false;
};

class FirezoneCredentials {
 public:
  static constexpr std::string_view kRealm = "firezone";

  // `secret` is the hex text itself, which enters the hash: 64 lower-case digits when drawn here.
  explicit FirezoneCredentials(std::string_view secret) : secret_(secret) {}
  [[nodiscard]] static FirezoneCredentials draw(crypto::Random& random);

  // For the portal, which derives the same passwords, and for nobody else.
  [[nodiscard]] std::string_view secret() const noexcept { return secret_.view(); }
  [[nodiscard]] std::string_view realm() const noexcept { return kRealm; }

  // Nothing: the username is not "<canonical decimal u64>:<salt without colon>".
  [[nodiscard]] std::optional<UserLookup> find(std::string_view username, UnixTime now) const;
  // 43 characters. Nothing as above.
  [[nodiscard]] std::optional<SecretText> password(std::string_view username) const;

 private:
  SecretText secret_;
};

class StaticCredentials {
 public:
  // Limit of parse(): an operator's list, held in memory.
  static constexpr std::size_t kUsersMax = 65536;

  explicit StaticCredentials(std::string realm) : realm_(std::move(realm)) {}

  // Lines "user:password"; the password may hold colons; blank lines and lines that start with '#' are skipped.
  // Error: one sentence with the number of the line, without the password.
  [[nodiscard]] static Result<StaticCredentials, std::string> parse(std::string realm, std::string_view file);
  // Replaces the user's password.
  void add(std::string_view user, std::string_view password);

  [[nodiscard]] std::string_view realm() const noexcept { return realm_; }
  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
  // Nothing: no such user.
  [[nodiscard]] std::optional<UserLookup> find(std::string_view username, UnixTime now) const;

 private:
  std::string realm_;
  std::map<std::string, stun::LongTermKey, std::less<>> keys_;  // the password itself is not kept
};

using Credentials = std::variant<FirezoneCredentials, StaticCredentials>;

}  // namespace fireline::relay
