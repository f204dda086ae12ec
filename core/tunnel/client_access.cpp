#include "core/tunnel/client_access.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace fireline::tunnel {

UnixTime expiry_of(std::optional<portal::Timestamp> expires_at) noexcept {
  using Seconds = std::chrono::seconds;
  constexpr auto kFirst = std::chrono::ceil<Seconds>(UnixTime::min().time_since_epoch()).count();
  constexpr auto kLast = std::chrono::floor<Seconds>(UnixTime::max().time_since_epoch()).count();
  if (!expires_at || *expires_at >= kLast) return kNever;
  return UnixTime(Seconds(std::max<portal::Timestamp>(*expires_at, kFirst)));
}

ClientAccess::Change ClientAccess::change_by(const policy::GatewayResource& resource) const noexcept {
  const auto known = grants_.find(resource.id);
  if (known == grants_.end()) return grants_.size() < kGrantsMax ? Change::added : Change::full;
  return known->second.resource.kind == resource.kind ? Change::replaced : Change::kind_changed;
}

ClientAccess::Change ClientAccess::grant(const policy::GatewayResource& resource,
                                         std::optional<portal::Timestamp> expires_at) {
  const Change change = change_by(resource);
  if (change == Change::kind_changed || change == Change::full) return change;
  grants_.insert_or_assign(resource.id, Grant{.resource = resource, .expires_at = expires_at});
  rebuild();
  return change;
}

bool ClientAccess::revoke(const Uuid& resource) {
  if (grants_.erase(resource) == 0) return false;
  rebuild();
  return true;
}

bool ClientAccess::set_expiry(const Uuid& resource, portal::Timestamp expires_at) {
  const auto known = grants_.find(resource);
  if (known == grants_.end()) return false;
  known->second.expires_at = expires_at;
  rebuild();
  return true;
}

std::optional<ClientAccess::Change> ClientAccess::set_filters(const policy::GatewayResource& resource) {
  const auto known = grants_.find(resource.id);
  if (known == grants_.end()) return std::nullopt;
  if (known->second.resource.kind != resource.kind) return Change::kind_changed;
  known->second.resource.filters = resource.filters;
  known->second.resource.name = resource.name;
  rebuild();
  return Change::replaced;
}

std::size_t ClientAccess::expire(UnixTime wall) {
  if (wall < next_expiry_) return 0;
  const std::size_t gone =
      std::erase_if(grants_, [&](const auto& entry) { return expiry_of(entry.second.expires_at) <= wall; });
  rebuild();
  return gone;
}

Access ClientAccess::classify(ConstBytes remote, std::uint8_t protocol, std::uint16_t port,
                              const InternetDestinations& internet) const noexcept {
  using Verdict = policy::FilterTable::Verdict;
  const Verdict verdict = networks_.classify(remote, protocol, port);
  if (verdict == Verdict::permitted) return Access::granted;
  if (internet_ && internet.permits(remote)) return Access::granted;
  if (verdict == Verdict::filtered) return Access::filtered;
  return internet_ ? Access::not_internet : Access::not_granted;
}

void ClientAccess::rebuild() {
  std::vector<policy::FilterTable::Rule> rules;
  internet_ = false;
  next_expiry_ = kNever;
  for (const auto& [id, grant] : grants_) {
    next_expiry_ = std::min(next_expiry_, expiry_of(grant.expires_at));
    if (grant.resource.kind == policy::ResourceKind::internet) internet_ = true;
    if (grant.resource.kind != policy::ResourceKind::cidr) continue;
    rules.push_back({.network = grant.resource.network, .filters = &grant.resource.filters});
  }
  networks_.assign(rules);
}

}  // namespace fireline::tunnel
