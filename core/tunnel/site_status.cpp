#include "core/tunnel/site_status.h"

#include <algorithm>

namespace fireline::tunnel {

Reachability SiteStatus::of(const Uuid& site) const noexcept {
  const auto found = sites_.find(site);
  if (found == sites_.end()) return Reachability::unknown;
  return found->second.online ? Reachability::online : Reachability::offline;
}

Reachability SiteStatus::of(const std::vector<policy::Site>& sites) const noexcept {
  bool all_offline = !sites.empty();
  for (const policy::Site& site : sites) {
    const Reachability one = of(site.id);
    if (one == Reachability::online) return one;
    if (one != Reachability::offline) all_offline = false;
  }
  return all_offline ? Reachability::offline : Reachability::unknown;
}

std::optional<Instant> SiteStatus::poll_timeout() const noexcept {
  std::optional<Instant> earliest;
  for (const auto& [id, known] : sites_) {
    if (!known.online) earliest = std::min(earliest.value_or(known.until), known.until);
  }
  return earliest;
}

bool SiteStatus::handle_timeout(Instant now) noexcept {
  return std::erase_if(sites_, [&](const auto& site) { return !site.second.online && site.second.until <= now; }) > 0;
}

}  // namespace fireline::tunnel
