// 32-byte keys: secrets that erase themselves, and public keys that do not.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/wire.h"

namespace fireline::crypto {

inline constexpr std::size_t kKeyBytes = 32;

// A secret of 32 bytes: zeroed when dropped or moved from, compared in constant time, printed nowhere by itself.
class Key {
 public:
  Key() noexcept = default;  // all zeros
  explicit Key(std::span<const std::byte, kKeyBytes> bytes) noexcept;
  Key(const Key&) noexcept = default;
  Key& operator=(const Key&) noexcept = default;
  Key(Key&& other) noexcept;
  Key& operator=(Key&& other) noexcept;
  ~Key();

  [[nodiscard]] std::span<const std::byte, kKeyBytes> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte, kKeyBytes> mutable_bytes() noexcept { return bytes_; }
  [[nodiscard]] bool is_zero() const noexcept;                  // constant time
  friend bool operator==(const Key& a, const Key& b) noexcept;  // constant time

  // 64 lower-case hex digits, as the WireGuard configuration protocol writes keys.
  [[nodiscard]] static std::optional<Key> from_hex(std::string_view hex) noexcept;
  [[nodiscard]] std::string to_hex() const;
  // 44 characters, as the control protocol writes keys: standard alphabet, padded, no other spelling.
  [[nodiscard]] static std::optional<Key> from_base64(std::string_view text) noexcept;
  [[nodiscard]] std::string to_base64() const;

 private:
  std::array<std::byte, kKeyBytes> bytes_{};
};

// An X25519 public key: not secret, ordered and hashable, so that it can key a table.
struct PublicKey {
  std::array<std::byte, kKeyBytes> bytes{};

  [[nodiscard]] static std::optional<PublicKey> from_hex(std::string_view hex) noexcept;
  [[nodiscard]] std::string to_hex() const;
  [[nodiscard]] static std::optional<PublicKey> from_base64(std::string_view text) noexcept;
  [[nodiscard]] std::string to_base64() const;
  friend auto operator<=>(const PublicKey&, const PublicKey&) noexcept = default;
};

}  // namespace fireline::crypto

template <>
struct std::hash<fireline::crypto::PublicKey> {
  std::size_t operator()(const fireline::crypto::PublicKey& key) const noexcept {
    return static_cast<std::size_t>(fireline::load_le64(key.bytes, 0));  // key bytes are uniform already
  }
};
