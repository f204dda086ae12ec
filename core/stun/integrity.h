// MESSAGE-INTEGRITY (HMAC-SHA1) and FINGERPRINT (CRC-32), and the keys of both credential mechanisms.
// Source: RFC 8489 sections 9.1.1, 9.2.2, 14.5 and 14.7. Texts enter as they are, without SASLprep.
// Verification runs over the bytes as received, padding included, and compares in constant time.
// Lifetime: keys are borrowed during a call. Threads: any.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/wire.h"
#include "core/stun/attribute.h"
#include "core/stun/message_view.h"

namespace fireline::stun {

// MD5(username ":" realm ":" password); wipes itself.
class LongTermKey {
 public:
  static constexpr std::size_t kBytes = 16;

  LongTermKey() noexcept = default;  // zeros
  LongTermKey(std::string_view username, std::string_view realm, std::string_view password) noexcept;
  explicit LongTermKey(std::span<const std::byte, kBytes> bytes) noexcept;
  LongTermKey(const LongTermKey&) noexcept = default;
  LongTermKey& operator=(const LongTermKey&) noexcept = default;
  ~LongTermKey();

  [[nodiscard]] ConstBytes bytes() const noexcept { return bytes_; }

 private:
  std::array<std::byte, kBytes> bytes_{};
};

// The key of a short-term credential is the password's bytes themselves.
[[nodiscard]] inline ConstBytes short_term_key(std::string_view password) noexcept {
  return std::as_bytes(std::span(password.data(), password.size()));
}

enum class Check : std::uint8_t { absent, wrong, good };

[[nodiscard]] Check check_integrity(const MessageView& message, ConstBytes key) noexcept;
// `wrong` also when FINGERPRINT is not the last attribute.
[[nodiscard]] Check check_fingerprint(const MessageView& message) noexcept;

// For the writer. `message` is everything before the attribute; its header's length field is not read: the hash takes
// it as if the message ended right after the attribute.
using IntegrityValue = std::array<std::byte, kIntegrityBytes>;
[[nodiscard]] IntegrityValue integrity_of(ConstBytes message, ConstBytes key) noexcept;
[[nodiscard]] std::uint32_t fingerprint_of(ConstBytes message) noexcept;

}  // namespace fireline::stun
