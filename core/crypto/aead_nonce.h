// The nonce of WireGuard's AEAD (paper section 5.4): four zero bytes and the counter in little-endian.
#pragma once
#include <array>
#include <cstdint>

#include "core/base/wire.h"

namespace fireline::crypto {

using AeadNonce = std::array<std::byte, 12>;

[[nodiscard]] inline AeadNonce aead_nonce(std::uint64_t counter) noexcept {
  AeadNonce nonce{};
  store_le64(nonce, 4, counter);
  return nonce;
}

}  // namespace fireline::crypto
