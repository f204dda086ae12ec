#include "tests/sim/connectivity.h"

#include <algorithm>

namespace fireline::sim {
namespace {

bool is_predictable(const std::optional<NatOptions>& nat) noexcept {
  return !nat || nat->ports == PortRule::identity || nat->mapping == Dependence::endpoint_independent;
}

bool lets_anybody_in(const std::optional<NatOptions>& nat) noexcept {
  return !nat || nat->filtering == Dependence::endpoint_independent;
}

bool lets_other_ports_in(const std::optional<NatOptions>& nat) noexcept {
  return !nat || nat->filtering != Dependence::address_and_port_dependent;
}

std::optional<NatOptions> with_luck(std::optional<NatOptions> nat) noexcept {
  if (nat && nat->ports == PortRule::preserving) nat->mapping = Dependence::endpoint_independent;
  return nat;
}

}  // namespace

bool is_direct_possible(const std::optional<NatOptions>& a, const std::optional<NatOptions>& b) noexcept {
  if (is_predictable(a) && is_predictable(b)) return true;
  if (is_predictable(a)) return lets_other_ports_in(a);
  if (is_predictable(b)) return lets_other_ports_in(b);
  if (a->mapping != Dependence::address_dependent && b->mapping != Dependence::address_dependent) return false;
  return (lets_anybody_in(a) && lets_other_ports_in(b)) || (lets_anybody_in(b) && lets_other_ports_in(a));
}

bool is_direct_by_luck(const std::optional<NatOptions>& a, const std::optional<NatOptions>& b) noexcept {
  return is_direct_possible(with_luck(a), with_luck(b));
}

bool is_relay_reachable(const Surroundings& host, const RelayFamilies& relay) noexcept {
  return (host.v4 && relay.v4) || (host.v6 && relay.v6);
}

bool is_relayed_possible(const Surroundings& a, const Surroundings& b, std::span<const RelayFamilies> relays) noexcept {
  if (relays.empty()) return false;
  const bool reached = std::ranges::all_of(
      relays, [&](const RelayFamilies& relay) { return is_relay_reachable(a, relay) && is_relay_reachable(b, relay); });
  const bool all_v4 = std::ranges::all_of(relays, &RelayFamilies::v4);
  const bool all_v6 = std::ranges::all_of(relays, &RelayFamilies::v6);
  return reached && (all_v4 || all_v6);
}

Connectivity expected_connectivity(const Surroundings& a, const Surroundings& b, bool same_site,
                                   std::span<const RelayFamilies> relays) noexcept {
  // Without a relay that answers neither side has a candidate: host addresses are learned from its answers.
  const auto has_candidates = [&](const Surroundings& host, bool v4) {
    return std::ranges::any_of(
        relays, [&](const RelayFamilies& relay) { return v4 ? host.v4 && relay.v4 : host.v6 && relay.v6; });
  };
  const bool v4 = has_candidates(a, true) && has_candidates(b, true);
  const bool v6 = has_candidates(a, false) && has_candidates(b, false);
  if (v4 && (same_site || is_direct_possible(a.nat4, b.nat4))) return Connectivity::direct;
  if (v6) return Connectivity::direct;
  return is_relayed_possible(a, b, relays) ? Connectivity::relayed : Connectivity::none;
}

}  // namespace fireline::sim
