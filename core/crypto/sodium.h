// libsodium's start-up, for the sources of this folder that call it.
// Without sodium_init the portable ciphers would run instead of the fastest ones of this CPU. It is idempotent and
// thread-safe; here it runs while the program is loaded, before any thread exists.
#pragma once
#include <sodium.h>

#include <cstdlib>

#include "core/crypto/c_bytes.h"

namespace fireline::crypto {

inline const bool kSodiumReady = [] {
  if (sodium_init() < 0) std::abort();  // no source of randomness: nothing here could be safe
  return true;
}();

}  // namespace fireline::crypto
