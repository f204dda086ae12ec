#include "core/tunnel/client_status.h"

#include <algorithm>

namespace fireline::tunnel {

bool operator==(const ResourceView& a, const ResourceView& b) noexcept {
  // Sites compare by id elsewhere; here their names are shown.
  const auto same_site = [](const policy::Site& x, const policy::Site& y) { return x.id == y.id && x.name == y.name; };
  return a.id == b.id && a.kind == b.kind && a.name == b.name && a.address == b.address &&
         a.description == b.description && a.status == b.status && a.enabled == b.enabled &&
         std::ranges::equal(a.sites, b.sites, same_site);
}

}  // namespace fireline::tunnel
