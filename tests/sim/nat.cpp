#include "tests/sim/nat.h"

#include <array>
#include <utility>

namespace fireline::sim {
namespace {

// `endpoint` as far as something that depends on so much of it can tell.
Endpoint seen(Dependence dependence, const Endpoint& endpoint) {
  switch (dependence) {
    case Dependence::endpoint_independent:
      return {};
    case Dependence::address_dependent:
      return {endpoint.address, 0};
    case Dependence::address_and_port_dependent:
      break;
  }
  return {endpoint.address, endpoint.port};
}

std::string_view word(Dependence dependence) {
  static constexpr std::array<std::string_view, 3> kWords{"endpoint-independent", "address-dependent",
                                                          "address-and-port-dependent"};
  return kWords[static_cast<std::size_t>(dependence)];
}

constexpr std::uint16_t kLowestPort = 1024;
constexpr unsigned kPortAttempts = 64;  // of 64,512 ports at most kMappingsMax are taken

}  // namespace

std::string NatOptions::describe() const {
  std::string text = ports == PortRule::identity ? "firewall" : "NAT";
  if (ports != PortRule::identity) text += ", mapping " + std::string(word(mapping));
  text += ", filtering " + std::string(word(filtering));
  if (ports == PortRule::preserving) text += ", preserves ports";
  if (hairpin) text += ", hairpin";
  if (strays) text += ", strays";
  text += ", expires after " + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(expiry).count()) + " s";
  return text;
}

std::optional<Endpoint> Nat::outbound(Instant now, const Endpoint& inside, const Endpoint& destination) {
  const Endpoint part = options_.ports == PortRule::identity ? Endpoint{} : seen(options_.mapping, destination);
  const MappingKey key{inside, part.address, part.port};
  auto found = mappings_.find(key);
  if (found != mappings_.end() && !is_live(now, found->second.used)) {
    by_outside_.erase(found->second.outside);
    mappings_.erase(found);
    found = mappings_.end();
  }
  if (found == mappings_.end()) {
    if (mappings_.size() >= kMappingsMax) remove_expired(now);
    if (mappings_.size() >= kMappingsMax) return std::nullopt;
    const auto outside = choose_outside(now, inside);
    if (!outside) return std::nullopt;
    found = mappings_.emplace(key, Mapping{inside, *outside, now, {}, {}}).first;
    by_outside_.insert_or_assign(*outside, key);
  }
  Mapping& mapping = found->second;
  mapping.used = now;
  mapping.contacted.insert_or_assign(seen(options_.filtering, destination), now);
  return stray(now, mapping, destination).value_or(mapping.outside);
}

Nat::Inbound Nat::inbound(Instant now, const Endpoint& outside, const Endpoint& source) {
  if (const auto stray = strays_.find(outside); stray != strays_.end()) {
    if (now < stray->second.end && stray->second.peer == source) return {Refusal::none, stray->second.inside};
    return {Refusal::no_mapping, {}};
  }
  const auto place = by_outside_.find(outside);
  if (place == by_outside_.end()) return {Refusal::no_mapping, {}};
  Mapping& mapping = mappings_.at(place->second);
  if (!is_live(now, mapping.used)) return {Refusal::no_mapping, {}};
  const auto entry = mapping.contacted.find(seen(options_.filtering, source));
  if (entry == mapping.contacted.end() || !is_live(now, entry->second)) return {Refusal::filtered, {}};
  if (options_.inbound_refreshes) mapping.used = entry->second = now;
  if (options_.strays) mapping.callers.emplace(source, now);
  return {Refusal::none, mapping.inside};
}

bool Nat::maps(Instant now, const Endpoint& outside, const Endpoint& inside) const {
  const auto place = by_outside_.find(outside);
  if (place == by_outside_.end()) return false;
  const Mapping& mapping = mappings_.at(place->second);
  return mapping.inside == inside && is_live(now, mapping.used);
}

std::optional<Endpoint> Nat::stray(Instant now, Mapping& mapping, const Endpoint& destination) {
  if (!options_.strays) return std::nullopt;
  const auto caller = mapping.callers.emplace(destination, Instant::min()).first;
  if (now >= std::exchange(caller->second, Instant::min()) + kCrossing) return std::nullopt;
  std::erase_if(strays_, [now](const auto& entry) { return now >= entry.second.end; });
  Endpoint outside{outside_, 0};
  do {
    outside.port = static_cast<std::uint16_t>(dice_.between(kLowestPort, 65535));
  } while (!is_free(now, outside));
  strays_.insert_or_assign(outside, Stray{mapping.inside, destination, now + kStrayTime});
  return outside;
}

std::optional<Endpoint> Nat::choose_outside(Instant now, const Endpoint& inside) {
  if (options_.ports == PortRule::identity) return inside;
  Endpoint outside{outside_, inside.port};
  if (options_.ports == PortRule::preserving && is_free(now, outside)) return outside;
  for (unsigned attempt = 0; attempt < kPortAttempts; ++attempt) {
    outside.port = static_cast<std::uint16_t>(dice_.between(kLowestPort, 65535));
    if (is_free(now, outside)) return outside;
  }
  return std::nullopt;
}

bool Nat::is_free(Instant now, const Endpoint& outside) {
  const auto place = by_outside_.find(outside);
  if (place == by_outside_.end()) return true;
  const auto mapping = mappings_.find(place->second);
  if (is_live(now, mapping->second.used)) return false;
  mappings_.erase(mapping);
  by_outside_.erase(place);
  return true;
}

void Nat::remove_expired(Instant now) {
  std::erase_if(by_outside_, [&](const auto& entry) { return !is_live(now, mappings_.at(entry.second).used); });
  std::erase_if(mappings_, [&](const auto& entry) { return !is_live(now, entry.second.used); });
}

}  // namespace fireline::sim
