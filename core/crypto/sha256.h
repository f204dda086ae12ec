// SHA-256 and HMAC-SHA256 over parts in a row, hex, and base64 without padding: what derived ids, keys and passwords
// are made of. Threads: any.
#pragma once
#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/base/wire.h"

namespace fireline::crypto {

inline constexpr std::size_t kSha256Bytes = 32;

// The state is wiped: parts may be secret.
[[nodiscard]] std::array<std::byte, kSha256Bytes> sha256(std::initializer_list<ConstBytes> parts) noexcept;

// RFC 2104 with SHA-256; a key of any length. The state is wiped.
[[nodiscard]] std::array<std::byte, kSha256Bytes> hmac_sha256(ConstBytes key,
                                                              std::initializer_list<ConstBytes> parts) noexcept;

// Lower-case hex digits.
[[nodiscard]] std::string hex(ConstBytes bytes);

// RFC 4648 section 4, without '='.
[[nodiscard]] std::string base64_unpadded(ConstBytes bytes);

}  // namespace fireline::crypto
