// X25519 (RFC 7748), the DH of WireGuard. Private keys may be unclamped: the function clamps. Threads: any.
// One multiplication costs tens of microseconds: never do it on a packet whose mac1 has not been checked.
#pragma once
#include <optional>

#include "core/crypto/keys.h"
#include "core/crypto/random.h"

namespace fireline::crypto {

// A private key, clamped, so that what is shown of it equals what other WireGuard tools would show.
[[nodiscard]] Key generate_private_key(Random& random) noexcept;

[[nodiscard]] PublicKey public_key(const Key& private_key) noexcept;

// Empty when the result is all zeros: the peer sent a point of small order (RFC 7748 section 6.1).
[[nodiscard]] std::optional<Key> shared_secret(const Key& private_key, const PublicKey& peer) noexcept;

}  // namespace fireline::crypto
