// The allocation ports that are free. A draw is uniform over them and costs the same whether one or all are free.
// Threads: one owner. Allocates once.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/crypto/random.h"

namespace fireline::relay {

class PortPool {
 public:
  // Both ends inclusive: up to 65,536 ports, which 16 bits could not count.
  PortPool(std::uint16_t lowest, std::uint16_t highest, crypto::Random& random) : random_(random) {
    free_.reserve(std::size_t{highest} - lowest + 1);
    for (std::uint32_t port = lowest; port <= highest; ++port) free_.push_back(static_cast<std::uint16_t>(port));
  }

  [[nodiscard]] bool empty() const noexcept { return free_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return free_.size(); }

  // Takes one out; who cannot use it does not give it back. Nothing: none is free.
  [[nodiscard]] std::optional<std::uint16_t> draw() noexcept {
    if (free_.empty()) return std::nullopt;
    const std::size_t place = below(free_.size());
    const std::uint16_t port = free_[place];
    free_[place] = free_.back();
    free_.pop_back();
    return port;
  }
  void give_back(std::uint16_t port) { free_.push_back(port); }

 private:
  // Lemire's method: the few random numbers that would favour some results are drawn again.
  std::size_t below(std::size_t bound) noexcept {
    const auto range = static_cast<std::uint32_t>(bound);
    const std::uint32_t unfair = (0u - range) % range;
    for (;;) {
      const std::uint64_t product = std::uint64_t{random_.u32()} * range;
      if (static_cast<std::uint32_t>(product) >= unfair) return static_cast<std::size_t>(product >> 32);
    }
  }

  std::vector<std::uint16_t> free_;
  crypto::Random& random_;
};

}  // namespace fireline::relay
