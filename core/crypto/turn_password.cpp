#include "core/crypto/turn_password.h"

#include "core/crypto/sha256.h"

namespace fireline::crypto {
namespace {

ConstBytes bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

}  // namespace

SecretText turn_password(std::string_view expiry, std::string_view stamp_secret, std::string_view salt) {
  auto hash = sha256({bytes_of(expiry), bytes_of(":"), bytes_of(stamp_secret), bytes_of(":"), bytes_of(salt)});
  std::string text = base64_unpadded(hash);
  const SecretText password(text);
  wipe(std::as_writable_bytes(std::span(text)));
  wipe(hash);
  return password;
}

}  // namespace fireline::crypto
