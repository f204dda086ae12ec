// What a relay knows us by: a user name and the long-term key made of it, the realm and the password.
// The password itself is not kept; the key wipes itself. Source: RFC 8489 section 9.2.2.
// Lifetime: a value. Threads: any.
#pragma once
#include <string>
#include <string_view>

#include "core/crypto/secret.h"
#include "core/stun/integrity.h"

namespace fireline::turn {

// The only realm that Firezone's relays use; an answer that names another one is not meant for us.
inline constexpr std::string_view kRealm = "firezone";

class Credentials {
 public:
  Credentials(std::string_view username, std::string_view password)
      : username_(username), key_(username, kRealm, password) {}

  [[nodiscard]] const std::string& username() const noexcept { return username_; }
  [[nodiscard]] ConstBytes key() const noexcept { return key_.bytes(); }

  // Constant time in the key.
  friend bool operator==(const Credentials& a, const Credentials& b) noexcept {
    return a.username_ == b.username_ && crypto::equal_constant_time(a.key(), b.key());
  }

 private:
  std::string username_;
  stun::LongTermKey key_;
};

}  // namespace fireline::turn
