#include "core/crypto/x25519.h"

#include "core/crypto/sodium.h"

namespace fireline::crypto {
static_assert(crypto_scalarmult_BYTES == kKeyBytes && crypto_scalarmult_SCALARBYTES == kKeyBytes);

Key generate_private_key(Random& random) noexcept {
  Key key;
  const auto bytes = key.mutable_bytes();
  random.fill(bytes);
  bytes[0] &= std::byte{248};
  bytes[31] &= std::byte{127};
  bytes[31] |= std::byte{64};
  return key;
}

PublicKey public_key(const Key& private_key) noexcept {
  PublicKey result;
  crypto_scalarmult_base(c_bytes(result.bytes.data()), c_bytes(private_key.bytes().data()));
  return result;
}

std::optional<Key> shared_secret(const Key& private_key, const PublicKey& peer) noexcept {
  std::optional<Key> result{std::in_place};
  const int status = crypto_scalarmult(c_bytes(result->mutable_bytes().data()), c_bytes(private_key.bytes().data()),
                                       c_bytes(peer.bytes.data()));
  if (status != 0 || result->is_zero()) result.reset();
  return result;
}

}  // namespace fireline::crypto
