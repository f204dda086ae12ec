#include "core/crypto/keys.h"

#include <algorithm>

#include "core/crypto/sodium.h"

namespace fireline::crypto {
static_assert(crypto_verify_32_BYTES == kKeyBytes);

namespace {

constexpr std::size_t kHexDigits = 2 * kKeyBytes;
constexpr std::size_t kBase64Characters = 44;

// sodium's conversions take the same time for every key; digits of both cases, nothing to skip, nothing missing.
bool read_hex(std::string_view hex, std::span<std::byte, kKeyBytes> out) noexcept {
  std::size_t read = 0;
  return sodium_hex2bin(c_bytes(out.data()), out.size(), hex.data(), hex.size(), nullptr, &read, nullptr) == 0 &&
         read == kKeyBytes;
}

std::string write_hex(std::span<const std::byte, kKeyBytes> bytes) {
  std::string hex(kHexDigits + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), c_bytes(bytes.data()), bytes.size());
  hex.pop_back();  // sodium's terminating zero
  return hex;
}

// Same time for every key; sodium refuses line breaks, bits set behind the last byte, and missing padding.
bool read_base64(std::string_view text, std::span<std::byte, kKeyBytes> out) noexcept {
  if (text.size() != kBase64Characters) return false;
  std::size_t read = 0;
  return sodium_base642bin(c_bytes(out.data()), out.size(), text.data(), text.size(), nullptr, &read, nullptr,
                           sodium_base64_VARIANT_ORIGINAL) == 0 &&
         read == kKeyBytes;
}

std::string write_base64(std::span<const std::byte, kKeyBytes> bytes) {
  std::string text(kBase64Characters + 1, '\0');
  sodium_bin2base64(text.data(), text.size(), c_bytes(bytes.data()), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // sodium's terminating zero
  return text;
}

}  // namespace

Key::Key(std::span<const std::byte, kKeyBytes> bytes) noexcept {
  std::ranges::copy(bytes, bytes_.begin());
}

Key::Key(Key&& other) noexcept : bytes_(other.bytes_) {
  sodium_memzero(other.bytes_.data(), kKeyBytes);
}

Key& Key::operator=(Key&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    sodium_memzero(other.bytes_.data(), kKeyBytes);
  }
  return *this;
}

Key::~Key() {
  sodium_memzero(bytes_.data(), kKeyBytes);
}

bool Key::is_zero() const noexcept {
  return sodium_is_zero(c_bytes(bytes_.data()), kKeyBytes) == 1;
}

bool operator==(const Key& a, const Key& b) noexcept {
  return crypto_verify_32(c_bytes(a.bytes_.data()), c_bytes(b.bytes_.data())) == 0;
}

std::optional<Key> Key::from_hex(std::string_view hex) noexcept {
  std::optional<Key> key{std::in_place};
  if (!read_hex(hex, key->mutable_bytes())) key.reset();
  return key;
}

std::string Key::to_hex() const {
  return write_hex(bytes_);
}

std::optional<Key> Key::from_base64(std::string_view text) noexcept {
  std::optional<Key> key{std::in_place};
  if (!read_base64(text, key->mutable_bytes())) key.reset();
  return key;
}

std::string Key::to_base64() const {
  return write_base64(bytes_);
}

std::optional<PublicKey> PublicKey::from_hex(std::string_view hex) noexcept {
  PublicKey key;
  if (!read_hex(hex, key.bytes)) return std::nullopt;
  return key;
}

std::string PublicKey::to_hex() const {
  return write_hex(bytes);
}

std::optional<PublicKey> PublicKey::from_base64(std::string_view text) noexcept {
  PublicKey key;
  if (!read_base64(text, key.bytes)) return std::nullopt;
  return key;
}

std::string PublicKey::to_base64() const {
  return write_base64(bytes);
}

}  // namespace fireline::crypto
