#include "core/portal/server/grants.h"

namespace fireline::portal {

GrantTable::GrantTable(GrantStore& store) : store_(store) {
  for (auto& [key, grant] : store_.load()) {
    if (grants_.size() < kGrantsMax) grants_.emplace(key, grant);
  }
}

const Grant* GrantTable::find(const GrantKey& key) const noexcept {
  const auto found = grants_.find(key);
  return found == grants_.end() ? nullptr : &found->second;
}

bool GrantTable::put(const GrantKey& key, const Grant& grant) {
  if (full() && !grants_.contains(key)) return false;
  grants_[key] = grant;
  store_.put(key, grant);
  return true;
}

void GrantTable::remove(const GrantKey& key) {
  if (grants_.erase(key) != 0) store_.remove(key);
}

}  // namespace fireline::portal
