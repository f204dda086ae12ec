#include "core/crypto/secret.h"

#include "core/crypto/sodium.h"

namespace fireline::crypto {

void wipe(Bytes bytes) noexcept {
  sodium_memzero(bytes.data(), bytes.size());
}

bool equal_constant_time(ConstBytes a, ConstBytes b) noexcept {
  if (a.size() != b.size()) return false;
  // Tags, MACs and keys: sodium's fixed forms work on whole words, its general one on bytes.
  if (a.size() == crypto_verify_16_BYTES) return crypto_verify_16(c_bytes(a.data()), c_bytes(b.data())) == 0;
  if (a.size() == crypto_verify_32_BYTES) return crypto_verify_32(c_bytes(a.data()), c_bytes(b.data())) == 0;
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace fireline::crypto
