// The addresses of the last relays that we used: what still comes from them is late and means nothing, while a peer
// whose NAT happens to map it to the relays' port must get through.
// Lifetime: a value. Threads: one. No allocation. Limit: kFormerRelaysMax, the oldest gives way.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "core/base/endpoint.h"

namespace fireline::turn {

inline constexpr std::size_t kFormerRelaysMax = 64;  // what Firezone's nodes remember

class FormerRelays {
 public:
  void remember(const IpAddress& address) noexcept {
    const auto last = addresses_.begin() + static_cast<std::ptrdiff_t>(size_);
    const auto known = std::find(addresses_.begin(), last, address);
    if (known == last && size_ < kFormerRelaysMax) ++size_;
    // The newest stands first; everything up to the old place of this one, or to the end, moves back by one.
    const auto gap = known == last ? addresses_.begin() + static_cast<std::ptrdiff_t>(size_) - 1 : known;
    std::move_backward(addresses_.begin(), gap, gap + 1);
    addresses_.front() = address;
  }
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept {
    return std::ranges::find(known(), address) != known().end();
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  [[nodiscard]] std::span<const IpAddress> known() const noexcept { return std::span(addresses_).first(size_); }

  std::array<IpAddress, kFormerRelaysMax> addresses_{};
  std::size_t size_ = 0;
};

}  // namespace fireline::turn
