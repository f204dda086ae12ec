// Predictable bytes from a seed, for --rng-seed: tests that need the same ports and nonces in every run. Never for
// service. Threads: one.
#pragma once
#include <cstdint>
#include <random>

#include "core/crypto/random.h"

namespace fireline::relay {

class SeededRandom final : public crypto::Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(Bytes bytes) noexcept override {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(engine_() & 0xFF);
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace fireline::relay
