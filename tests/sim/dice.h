// Randomness from one seed: every stream is derived from the seed and a name, so that what one part of a scenario draws
// does not move what another part draws. Source: SplitMix64 (Steele, Lea, Flood 2014). For simulations, never for
// secrets. Lifetime: a value. Threads: one.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/time.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"

namespace fireline::sim {

class Dice final : public crypto::Random {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed) {}
  // The stream `name` of a seed.
  Dice(std::uint64_t seed, std::string_view name) noexcept : state_(seed * 0x9E3779B97F4A7C15u) {
    for (const char c : name) state_ = mix(state_ ^ static_cast<std::uint8_t>(c));
  }

  [[nodiscard]] std::uint64_t u64() noexcept {
    state_ += 0x9E3779B97F4A7C15u;
    return mix(state_);
  }
  // 0 to `bound` - 1; `bound` > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept { return u64() % bound; }
  [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }
  [[nodiscard]] bool chance(unsigned per_mille) noexcept { return per_mille != 0 && below(1000) < per_mille; }
  [[nodiscard]] Duration between(Duration low, Duration high) noexcept {
    return low + Duration(static_cast<std::int64_t>(below(static_cast<std::uint64_t>((high - low).count()) + 1)));
  }
  template <class T, std::size_t N>
  [[nodiscard]] const T& pick(const T (&choices)[N]) noexcept {
    return choices[below(N)];
  }
  [[nodiscard]] crypto::Key key() noexcept {
    crypto::Key key;
    fill(key.mutable_bytes());
    return key;
  }

  void fill(Bytes bytes) noexcept override {
    for (std::size_t i = 0; i < bytes.size();) {
      std::uint64_t word = u64();
      for (std::size_t k = 0; k < 8 && i < bytes.size(); ++k, ++i, word >>= 8) bytes[i] = static_cast<std::byte>(word);
    }
  }

 private:
  [[nodiscard]] static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace fireline::sim
