#include "core/ice/credentials.h"

#include <algorithm>
#include <span>

#include "core/crypto/secret.h"

namespace fireline::ice {
namespace {

ConstBytes bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

Result<Credentials, CredentialsError> Credentials::make(std::string_view ufrag, std::string_view password) noexcept {
  if (ufrag.empty() || password.empty()) return err(CredentialsError::empty);
  if (ufrag.size() > kUfragBytesMax || password.size() > kPasswordBytesMax) return err(CredentialsError::too_long);
  if (ufrag.find_first_of(": ") != std::string_view::npos) return err(CredentialsError::bad_character);
  Credentials credentials;
  std::ranges::copy(ufrag, credentials.ufrag_.begin());
  std::ranges::copy(password, credentials.password_.begin());
  credentials.ufrag_bytes_ = static_cast<std::uint16_t>(ufrag.size());
  credentials.password_bytes_ = static_cast<std::uint16_t>(password.size());
  return credentials;
}

Credentials::~Credentials() {
  crypto::wipe(std::as_writable_bytes(std::span(password_)));
}

bool operator==(const Credentials& a, const Credentials& b) noexcept {
  return a.ufrag() == b.ufrag() && crypto::equal_constant_time(bytes_of(a.password()), bytes_of(b.password()));
}

}  // namespace fireline::ice
