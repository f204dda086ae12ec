#include "core/tunnel/tun_offer.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace fireline::tunnel {
namespace {

bool same_but_routes(const TunConfiguration& a, const TunConfiguration& b) {
  return a.ipv4 == b.ipv4 && a.ipv6 == b.ipv6 && a.dns_servers == b.dns_servers && a.search_domain == b.search_domain;
}

// What the first has more, ascending as both are.
std::vector<Prefix> lost_routes(const TunConfiguration& from, const TunConfiguration& to) {
  std::vector<Prefix> lost;
  std::ranges::set_difference(from.routes, to.routes, std::back_inserter(lost));
  return lost;
}

}  // namespace

void TunOffer::set(Instant now, TunConfiguration wanted) {
  waiting_.reset();
  const TunConfiguration* const newest = offered_.newest();
  const auto lost =
      newest != nullptr && same_but_routes(*newest, wanted) ? lost_routes(*newest, wanted) : std::vector<Prefix>();
  if (lost.empty()) return offered_.set(std::move(wanted));
  TunConfiguration both = wanted;
  both.routes.clear();
  std::ranges::set_union(wanted.routes, lost, std::back_inserter(both.routes));
  if (both.routes != newest->routes) offered_.set(std::move(both));
  waiting_ = std::move(wanted);
  due_ = now + kRouteLossPatience;
}

std::optional<Instant> TunOffer::poll_timeout() const noexcept {
  return waiting_ ? std::optional(due_) : std::nullopt;
}

void TunOffer::handle_timeout(Instant now) {
  if (!waiting_ || now < due_) return;
  offered_.set(*std::exchange(waiting_, std::nullopt));
}

}  // namespace fireline::tunnel
