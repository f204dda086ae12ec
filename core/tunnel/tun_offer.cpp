#include "core/tunnel/tun_offer.h"

#include <algorithm>
#include <utility>

namespace fireline::tunnel {
namespace {

bool only_loses_routes(const TunConfiguration& from, const TunConfiguration& to) {
  const bool routes_alone = from.ipv4 == to.ipv4 && from.ipv6 == to.ipv6 && from.dns_servers == to.dns_servers &&
                            from.search_domain == to.search_domain;
  return routes_alone && from.routes.size() > to.routes.size() && std::ranges::includes(from.routes, to.routes);
}

}  // namespace

void TunOffer::set(Instant now, TunConfiguration wanted) {
  waiting_.reset();
  if (const TunConfiguration* newest = offered_.newest(); newest != nullptr && only_loses_routes(*newest, wanted)) {
    waiting_ = std::move(wanted);
    due_ = now + kRouteLossPatience;
  } else {
    offered_.set(std::move(wanted));
  }
}

std::optional<Instant> TunOffer::poll_timeout() const noexcept {
  return waiting_ ? std::optional(due_) : std::nullopt;
}

void TunOffer::handle_timeout(Instant now) {
  if (!waiting_ || now < due_) return;
  offered_.set(*std::exchange(waiting_, std::nullopt));
}

}  // namespace fireline::tunnel
