// Events that nobody fetched yet, oldest first. A ring that doubles up to its limit, so that a thousand peers which
// fail in one moment are reported and a device at rest costs little; beyond the limit the oldest goes. Allocates when
// it grows, never for data. Threads: one owner.
#pragma once
#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "core/wireguard/device_event.h"

namespace fireline::wireguard {

class EventQueue {
 public:
  // At least 1.
  explicit EventQueue(std::size_t limit) : limit_(std::max<std::size_t>(limit, 1)) {}

  // False when the oldest had to go for it.
  [[nodiscard]] bool push(const DeviceEvent& event) {
    if (count_ == ring_.size()) grow();
    const bool lost = count_ == ring_.size();
    if (lost) {
      first_ = (first_ + 1) % ring_.size();
      --count_;
    }
    ring_[(first_ + count_++) % ring_.size()] = event;
    return !lost;
  }
  [[nodiscard]] std::optional<DeviceEvent> pop() noexcept {
    if (count_ == 0) return std::nullopt;
    --count_;
    return ring_[std::exchange(first_, (first_ + 1) % ring_.size())];
  }

 private:
  static constexpr std::size_t kFirst = 16;

  void grow() {
    if (ring_.size() == limit_) return;
    std::ranges::rotate(ring_, ring_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
    ring_.resize(std::min(limit_, std::max(kFirst, 2 * ring_.size())));
  }

  std::size_t limit_;
  std::vector<DeviceEvent> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace fireline::wireguard
