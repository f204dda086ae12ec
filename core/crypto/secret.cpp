#include "core/crypto/secret.h"

#include "core/crypto/sodium.h"

namespace fireline::crypto {

void wipe(Bytes bytes) noexcept {
  sodium_memzero(bytes.data(), bytes.size());
}

bool equal_constant_time(ConstBytes a, ConstBytes b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace fireline::crypto
