// The one or two addresses of a relay, at most one of each family: one relay, one allocation.
// Lifetime: a value. Threads: any.
#pragma once
#include <optional>

#include "core/base/endpoint.h"

namespace fireline::turn {

struct RelayAddresses {
  std::optional<Endpoint> v4;
  std::optional<Endpoint> v6;

  [[nodiscard]] const std::optional<Endpoint>& of(Family family) const noexcept {
    return family == Family::v4 ? v4 : v6;
  }
  [[nodiscard]] bool contains(const Endpoint& endpoint) const noexcept { return v4 == endpoint || v6 == endpoint; }

  friend bool operator==(const RelayAddresses&, const RelayAddresses&) = default;
};

}  // namespace fireline::turn
