#include "relay/protocol/authenticator.h"

#include <cstdlib>

#include "core/stun/integrity.h"

namespace fireline::relay {

Authenticator::Verdict Authenticator::check(const Now& now, const Endpoint& client, const stun::MessageView& message) {
  using stun::Attribute;
  const auto username = message.find_text(Attribute::username);
  const auto nonce_text = message.find_text(Attribute::nonce);
  const std::optional<UserLookup> user = username ? find(*username, now.wall) : std::nullopt;

  Verdict verdict;
  if (username) verdict.username = *username;
  if (nonce_text) verdict.presented = Nonce::parse(*nonce_text);
  if (is_firezone()) {
    // These clients believe signed answers alone; the key follows from the name, so that it tells nobody anything.
    if (user) verdict.key = user->key;
    verdict.silent = username && !user;
  }

  verdict.error_code = [&]() -> std::uint16_t {
    if (!message.has(Attribute::message_integrity)) return 401;
    if (!username || !nonce_text || !verdict.presented) return 401;
    switch (nonces_.use(client, *verdict.presented)) {
      case NonceTable::Use::good:
        break;
      case NonceTable::Use::used_up:
        counters_.add(ServerCounter::nonces_used_up);
        return 438;
      case NonceTable::Use::unknown:
        return 438;
    }
    // An unknown user is checked against a key of zeros: it takes as long to refuse as a wrong password.
    const stun::LongTermKey key = user ? user->key : stun::LongTermKey{};
    const bool good = stun::check_integrity(message, key.bytes()) == stun::Check::good;
    return user && !user->expired && good ? 0 : 401;
  }();

  if (verdict.error_code == 438) counters_.add(ServerCounter::stale_nonces);
  if (verdict.error_code == 0) {
    verdict.key = user->key;
    verdict.silent = false;
  }
  return verdict;
}

void Authenticator::set_credentials(Credentials credentials) {
  const auto realm_of = [](const auto& one) { return one.realm(); };
  if (credentials.index() != credentials_.index() || std::visit(realm_of, credentials) != realm()) std::abort();
  credentials_ = std::move(credentials);
}

Nonce Authenticator::issue_nonce(const Endpoint& client, const Verdict& verdict) {
  const NonceTable::Issued issued = nonces_.issue(client, verdict.presented);
  if (issued.evicted) counters_.add(ServerCounter::nonces_evicted);
  return issued.nonce;
}

std::string_view Authenticator::realm() const noexcept {
  return std::visit([](const auto& credentials) { return credentials.realm(); }, credentials_);
}

std::optional<UserLookup> Authenticator::find(std::string_view username, UnixTime now) const {
  return std::visit([&](const auto& credentials) { return credentials.find(username, now); }, credentials_);
}

}  // namespace fireline::relay
