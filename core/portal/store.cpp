#include "core/portal/store.h"

#include <algorithm>

#include "core/crypto/secret.h"
#include "core/crypto/sha256.h"

namespace fireline::portal {
namespace {

constexpr std::size_t kSecretBytes = 32;

constexpr std::string_view prefix_of(TokenKind kind) noexcept {
  switch (kind) {
    case TokenKind::client:
      return "flc_";
    case TokenKind::gateway:
      return "flg_";
    case TokenKind::relay:
      break;
  }
  return "flr_";
}

}  // namespace

TokenHash token_hash(std::string_view token) noexcept {
  return crypto::sha256({std::as_bytes(std::span(token))});
}

std::string make_token(TokenKind kind, crypto::Random& random) {
  std::array<std::byte, kSecretBytes> secret;
  random.fill(secret);
  std::string text = crypto::base64_unpadded(secret);
  crypto::wipe(secret);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  std::string token(prefix_of(kind));
  token += text;
  crypto::wipe(std::as_writable_bytes(std::span(text)));
  return token;
}

}  // namespace fireline::portal
