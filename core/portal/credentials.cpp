#include "core/portal/credentials.h"

#include <algorithm>

#include "core/crypto/sha256.h"
#include "core/crypto/turn_password.h"

namespace fireline::portal {
namespace {

constexpr std::size_t kUsernameCharacters = 4;
constexpr std::size_t kPasswordCharacters = 22;

ConstBytes bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

// RFC 4648 section 6 in lower case, without padding.
std::string base32(ConstBytes bytes) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  unsigned bits = 0;
  unsigned waiting = 0;
  for (const std::byte byte : bytes) {
    bits = (bits << 8 | std::to_integer<unsigned>(byte)) & 0xfff;
    for (waiting += 8; waiting >= 5; waiting -= 5) text += kAlphabet[bits >> (waiting - 5) & 31];
  }
  if (waiting > 0) text += kAlphabet[bits << (5 - waiting) & 31];
  return text;
}

}  // namespace

FlowIceCredentials flow_ice_credentials(const FlowEnds& ends) {
  const std::string seed = ends.client.to_string() + ":" + ends.client_key.to_base64() + ":" +
                           ends.gateway.to_string() + ":" + ends.gateway_key.to_base64();
  const std::string text = base32(crypto::sha256({bytes_of(seed)}));
  constexpr std::size_t kGateway = kUsernameCharacters + kPasswordCharacters;
  return {.client = {.username = text.substr(0, kUsernameCharacters),
                     .password = text.substr(kUsernameCharacters, kPasswordCharacters)},
          .gateway = {.username = text.substr(kGateway, kUsernameCharacters),
                      .password = text.substr(kGateway + kUsernameCharacters, kPasswordCharacters)}};
}

// PBKDF2 (RFC 8018) with one iteration and one block: HMAC of the salt and the block's number.
crypto::Key flow_preshared_key(const FlowEnds& ends, const crypto::Key& client_base, const crypto::Key& gateway_base) {
  const std::string salt = "WG_PSK|C_ID:" + ends.client.to_string() + "|G_ID:" + ends.gateway.to_string() +
                           "|C_PK:" + ends.client_key.to_base64() + "|G_PK:" + ends.gateway_key.to_base64();
  constexpr std::array kFirstBlock{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};
  std::array<std::byte, 2 * crypto::kKeyBytes> password;
  std::ranges::copy(client_base.bytes(), password.begin());
  std::ranges::copy(gateway_base.bytes(), password.begin() + crypto::kKeyBytes);
  auto derived = crypto::hmac_sha256(password, {bytes_of(salt), kFirstBlock});
  const crypto::Key key(derived);
  crypto::wipe(password);
  crypto::wipe(derived);
  return key;
}

TurnCredentials turn_credentials(const crypto::PublicKey& peer, Timestamp expires_at, std::string_view stamp_secret) {
  const std::string salt = crypto::base64_unpadded(crypto::sha256({bytes_of(peer.to_base64())}));
  const std::string expiry = std::to_string(expires_at);
  return {.username = expiry + ":" + salt, .password = crypto::turn_password(expiry, stamp_secret, salt)};
}

Uuid relay_id(std::string_view stamp_secret) noexcept {
  const auto hash = crypto::sha256({bytes_of(stamp_secret)});
  std::array<std::uint8_t, 16> first;
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = std::to_integer<std::uint8_t>(hash[i]);
  return Uuid::version4(first);
}

}  // namespace fireline::portal
