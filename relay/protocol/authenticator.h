// Whether a request is who it says it is: the long-term credential mechanism in the order of the relay specification
// section 1.6, which decides what a client learns first.
// Threads: one owner. Source: RFC 8489 section 9.2.4.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/counters.h"
#include "core/base/time.h"
#include "core/stun/message_view.h"
#include "relay/protocol/credentials.h"
#include "relay/protocol/limits.h"
#include "relay/protocol/nonce_table.h"
#include "relay/protocol/server_counters.h"

namespace fireline::relay {

class Authenticator {
 public:
  Authenticator(Credentials credentials, const Limits& limits, Counters<ServerCounter>& counters,
                crypto::Random& random)
      : credentials_(std::move(credentials)), counters_(counters), nonces_(limits.nonces, limits.nonce_uses, random) {}

  struct Verdict {
    std::uint16_t error_code = 0;          // 0: authentic; else 401 or 438
    std::optional<stun::LongTermKey> key;  // signs the answer
    bool silent = false;                   // the answer would have to be signed and cannot be
    std::string_view username;             // borrows the message; empty without one
    std::optional<Nonce> presented;        // came with the request
  };
  // Of the same kind and realm: whoever asks is_firezone() or realm() once may remember it.
  void set_credentials(Credentials credentials);

  // Counts a use of the nonce as soon as it is known, before the signature is checked.
  [[nodiscard]] Verdict check(const Now& now, const Endpoint& client, const stun::MessageView& message);

  // The nonce for the answer to a request with that verdict.
  [[nodiscard]] Nonce issue_nonce(const Endpoint& client, const Verdict& verdict);

  [[nodiscard]] std::string_view realm() const noexcept;
  // Derived credentials: any username that splits has a key.
  [[nodiscard]] bool is_firezone() const noexcept { return std::holds_alternative<FirezoneCredentials>(credentials_); }
  [[nodiscard]] std::size_t nonces() const noexcept { return nonces_.size(); }

 private:
  [[nodiscard]] std::optional<UserLookup> find(std::string_view username, UnixTime now) const;

  Credentials credentials_;
  Counters<ServerCounter>& counters_;
  NonceTable nonces_;
};

}  // namespace fireline::relay
