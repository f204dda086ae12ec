// BLAKE2s (RFC 7693) in the four uses of WireGuard (paper section 5.4): HASH, MAC, HMAC and KDFn.
//
// Threads: pure functions. No allocation. Inputs are read during the call only and may be empty; several inputs are
// hashed as if they were one, so that nobody copies them together first.
// Secrets: a Blake2s wipes its state and block; HMAC and KDF results are Keys and wipe themselves. Words of the round
// function that the compiler spilled to the stack are not wiped.
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/wire.h"
#include "core/crypto/keys.h"

namespace fireline::crypto {

inline constexpr std::size_t kHashBytes = 32;
inline constexpr std::size_t kMacBytes = 16;

using Hash = std::array<std::byte, kHashBytes>;
using Mac = std::array<std::byte, kMacBytes>;

// The incremental form: update any number of times, then one finish; after that the object is spent.
class Blake2s {
 public:
  static constexpr std::size_t kBlockBytes = 64;

  // `hash_bytes` 1 to 32; `key` 0 to 32 bytes, empty for no key. Aborts on any other length.
  explicit Blake2s(std::size_t hash_bytes = kHashBytes, ConstBytes key = {}) noexcept;
  Blake2s(const Blake2s&) noexcept = default;
  Blake2s& operator=(const Blake2s&) noexcept = default;
  ~Blake2s();  // wipes

  void update(ConstBytes input) noexcept;
  // Writes the hash's bytes to the front of `out`; aborts when they do not fit.
  void finish(Bytes out) noexcept;

 private:
  void compress(std::span<const std::byte, kBlockBytes> block, bool last) noexcept;

  std::array<std::uint32_t, 8> state_;
  std::uint64_t hashed_ = 0;  // bytes that went through compress
  std::size_t buffered_ = 0;  // bytes in block_: 0 to 64, a full block waits since it might be the last
  std::size_t hash_bytes_;
  std::array<std::byte, kBlockBytes> block_;
};

namespace blake2s_detail {
[[nodiscard]] Hash hash(std::span<const ConstBytes> inputs) noexcept;
[[nodiscard]] Mac mac16(ConstBytes key, std::span<const ConstBytes> inputs) noexcept;
[[nodiscard]] Key hmac(ConstBytes key, std::span<const ConstBytes> inputs) noexcept;
}  // namespace blake2s_detail

// HASH(a ‖ b ‖ …): 32 bytes, no key.
template <std::convertible_to<ConstBytes>... Inputs>
  requires(sizeof...(Inputs) > 0)
[[nodiscard]] Hash hash(const Inputs&... inputs) noexcept {
  const ConstBytes list[] = {ConstBytes(inputs)...};
  return blake2s_detail::hash(list);
}

// MAC(key, a ‖ b ‖ …): keyed BLAKE2s of 16 bytes; the key has 1 to 32 bytes, 16 (a cookie) or 32 in WireGuard.
// Compare a received MAC with equal_constant_time of core/crypto/secret.h.
template <std::convertible_to<ConstBytes>... Inputs>
  requires(sizeof...(Inputs) > 0)
[[nodiscard]] Mac mac16(ConstBytes key, const Inputs&... inputs) noexcept {
  const ConstBytes list[] = {ConstBytes(inputs)...};
  return blake2s_detail::mac16(key, list);
}

// HMAC(key, a ‖ b ‖ …): RFC 2104 over BLAKE2s-256 with blocks of 64 bytes. Not keyed BLAKE2s. Keys of any length.
template <std::convertible_to<ConstBytes>... Inputs>
  requires(sizeof...(Inputs) > 0)
[[nodiscard]] Key hmac(ConstBytes key, const Inputs&... inputs) noexcept {
  const ConstBytes list[] = {ConstBytes(inputs)...};
  return blake2s_detail::hmac(key, list);
}

// KDFn(key, input): n keys out of a chaining key and some input: auto [c, k] = kdf2(c, shared.bytes());
[[nodiscard]] Key kdf1(const Key& key, ConstBytes input) noexcept;
[[nodiscard]] std::array<Key, 2> kdf2(const Key& key, ConstBytes input) noexcept;
[[nodiscard]] std::array<Key, 3> kdf3(const Key& key, ConstBytes input) noexcept;

}  // namespace fireline::crypto
