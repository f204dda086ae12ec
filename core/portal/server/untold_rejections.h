// Grants that ended while their gateway was away. Its `init` does not take them from it: a baseline gateway leaves
// clients that are not named there as they are. Source: portal specification 4.1.
// Lifetime: a value; a restart of the portal forgets it. Threads: one. Limit: kUntoldMax.
#pragma once
#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/uuid.h"
#include "core/portal/server/grants.h"

namespace fireline::portal {

// A full table of grants, 48 bytes each. What does not fit lasts on its gateway until the grant's own end.
inline constexpr std::size_t kUntoldMax = kGrantsMax;

class UntoldRejections {
 public:
  void add(const GrantKey& key) {
    if (count_ >= kUntoldMax) return;
    of_gateway_[key.gateway].push_back(key);
    ++count_;
  }
  // Those of this gateway, in their order; they are told from here on, or the device is no more.
  [[nodiscard]] std::vector<GrantKey> take(const Uuid& gateway) {
    const auto found = of_gateway_.find(gateway);
    if (found == of_gateway_.end()) return {};
    std::vector<GrantKey> keys = std::move(found->second);
    of_gateway_.erase(found);
    count_ -= keys.size();
    return keys;
  }

 private:
  std::unordered_map<Uuid, std::vector<GrantKey>> of_gateway_;
  std::size_t count_ = 0;
};

}  // namespace fireline::portal
