#include "core/crypto/random.h"

#include "core/crypto/sodium.h"

namespace fireline::crypto {

void SystemRandom::fill(Bytes bytes) noexcept {
  randombytes_buf(bytes.data(), bytes.size());
}

}  // namespace fireline::crypto
