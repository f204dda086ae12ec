// The gateways that a client was given since it came to this network, the latest ones: a hint by which the portal picks
// the same again. Source: tunnel specification 2.5. Lifetime: a value. Threads: one owner.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/base/uuid.h"

namespace fireline::tunnel {

inline constexpr std::size_t kStickyGatewaysMax = 100;  // what portals accept in one message

class StickyGateways {
 public:
  // Used now; when there are too many, the one that was used longest ago goes.
  void use(const Uuid& gateway) {
    std::erase(gateways_, gateway);
    if (gateways_.size() == kStickyGatewaysMax) gateways_.erase(gateways_.begin());
    gateways_.push_back(gateway);
  }
  void clear() noexcept { gateways_.clear(); }
  [[nodiscard]] std::vector<Uuid> sorted() const {
    std::vector<Uuid> all = gateways_;
    std::ranges::sort(all);
    return all;
  }

 private:
  std::vector<Uuid> gateways_;  // the latest one last
};

}  // namespace fireline::tunnel
