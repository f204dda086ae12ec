// libsodium's start-up, for the sources of this folder that call it.
// Without sodium_init the portable ciphers would run instead of the fastest ones of this CPU. It is idempotent and
// thread-safe; here it runs while the program is loaded, before any thread exists.
#pragma once
#include <sodium.h>

#include <cstdlib>

namespace fireline::crypto {

inline const bool kSodiumReady = [] {
  if (sodium_init() < 0) std::abort();  // no source of randomness: nothing here could be safe
  return true;
}();

// libsodium speaks unsigned char; these two are the only casts that it needs.
[[nodiscard]] inline unsigned char* sodium_bytes(std::byte* bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes);
}
[[nodiscard]] inline const unsigned char* sodium_bytes(const std::byte* bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace fireline::crypto
