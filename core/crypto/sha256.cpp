#include "core/crypto/sha256.h"

#include "core/crypto/sodium.h"

namespace fireline::crypto {

std::array<std::byte, kSha256Bytes> sha256(std::initializer_list<ConstBytes> parts) noexcept {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (const ConstBytes part : parts) crypto_hash_sha256_update(&state, c_bytes(part.data()), part.size());
  std::array<std::byte, kSha256Bytes> hash;
  crypto_hash_sha256_final(&state, c_bytes(hash.data()));
  sodium_memzero(&state, sizeof(state));
  return hash;
}

std::array<std::byte, kSha256Bytes> hmac_sha256(ConstBytes key, std::initializer_list<ConstBytes> parts) noexcept {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, c_bytes(key.data()), key.size());
  for (const ConstBytes part : parts) crypto_auth_hmacsha256_update(&state, c_bytes(part.data()), part.size());
  std::array<std::byte, kSha256Bytes> hash;
  crypto_auth_hmacsha256_final(&state, c_bytes(hash.data()));
  sodium_memzero(&state, sizeof(state));
  return hash;
}

std::string hex(ConstBytes bytes) {
  std::string text(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), c_bytes(bytes.data()), bytes.size());
  text.pop_back();  // sodium's terminating zero
  return text;
}

std::string base64_unpadded(ConstBytes bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), c_bytes(bytes.data()), bytes.size(), kVariant);
  text.pop_back();  // sodium's terminating zero
  return text;
}

}  // namespace fireline::crypto
