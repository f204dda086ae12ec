// Randomness that repeats: the same bytes for the same seed. For tests and fuzz targets, never for secrets.
#pragma once
#include <cstdint>

#include "core/crypto/keys.h"
#include "core/crypto/random.h"

namespace fireline::crypto {

// Knuth's linear congruential generator (MMIX); the top byte of each state is the best one.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(Bytes bytes) noexcept override {
    for (std::byte& byte : bytes) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<std::byte>(state_ >> 56);
    }
  }

 private:
  std::uint64_t state_;
};

inline Key seeded_key(std::uint64_t seed) {
  Key key;
  SeededRandom(seed).fill(key.mutable_bytes());
  return key;
}

}  // namespace fireline::crypto
