// The two one-shot AEADs of the handshake (WireGuard paper section 5.4), both with additional data:
// AEAD = ChaCha20-Poly1305 (RFC 8439) with four zero bytes and a little-endian counter as nonce,
// XAEAD = XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a 24-byte nonce, for cookie replies.
// Transport data goes through core/crypto/aead.h instead.
//
// Threads: any. No allocation. `sealed` is ciphertext and 16-byte tag; its length must be plaintext length + 16, a
// different length aborts. Input and output may be the same memory, otherwise they must not overlap.
// open returns false for a wrong tag and then leaves only zeros in `plaintext`.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/wire.h"
#include "core/crypto/aead.h"
#include "core/crypto/keys.h"

namespace fireline::crypto {

inline constexpr std::size_t kXNonceBytes = 24;
using XNonce = std::array<std::byte, kXNonceBytes>;

void aead_seal(const Key& key, std::uint64_t counter, ConstBytes plaintext, ConstBytes aad, Bytes sealed) noexcept;
[[nodiscard]] bool aead_open(const Key& key, std::uint64_t counter, ConstBytes sealed, ConstBytes aad,
                             Bytes plaintext) noexcept;

void xaead_seal(const Key& key, const XNonce& nonce, ConstBytes plaintext, ConstBytes aad, Bytes sealed) noexcept;
[[nodiscard]] bool xaead_open(const Key& key, const XNonce& nonce, ConstBytes sealed, ConstBytes aad,
                              Bytes plaintext) noexcept;

}  // namespace fireline::crypto
