// SHA-256 over parts in a row, and base64 without padding: what derived passwords are made of. Threads: any.
#pragma once
#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>

#include "core/base/wire.h"

namespace fireline::crypto {

inline constexpr std::size_t kSha256Bytes = 32;

// The state is wiped: parts may be secret.
[[nodiscard]] std::array<std::byte, kSha256Bytes> sha256(std::initializer_list<ConstBytes> parts) noexcept;

// RFC 4648 section 4, without '='.
[[nodiscard]] std::string base64_unpadded(ConstBytes bytes);

}  // namespace fireline::crypto
