#include "core/portal/server/relay_roster.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/crypto/sha256.h"

namespace fireline::portal {
namespace {

std::array<std::uint8_t, 16> front_of_hash(std::initializer_list<ConstBytes> parts) {
  const auto hash = crypto::sha256(parts);
  std::array<std::uint8_t, 16> front{};
  std::ranges::transform(std::span(hash).first<16>(), front.begin(), [](std::byte b) { return std::uint8_t(b); });
  return front;
}

// One socket alone can have an address and a port.
bool share_place(const KnownRelay& a, const KnownRelay& b) noexcept {
  return a.port == b.port && ((a.ipv4 && a.ipv4 == b.ipv4) || (a.ipv6 && a.ipv6 == b.ipv6));
}

}  // namespace

bool RelayRoster::is_taken(Instant now, const Uuid& token, const KnownRelay& relay) const {
  return std::ranges::any_of(entries_, [&](const auto& one) {
    const auto& [id, entry] = one;
    if (id == relay.id) return entry.token != token;
    if (!share_place(entry.relay, relay)) return false;
    return entry.token != token || (!entry.left && entry.took && now - *entry.took < kRelayHold);
  });
}

RelayRoster::Change RelayRoster::joined(Instant now, const Uuid& token, const KnownRelay& relay,
                                        std::string_view stamp_secret, std::string_view name) {
  if (is_taken(now, token, relay)) return Change::taken;
  // Its socket has the address: whoever was there before is gone, whatever its connection says.
  std::optional<Instant> took;
  const auto replaced = std::erase_if(entries_, [&](const auto& one) {
    if (one.first == relay.id || !share_place(one.second.relay, relay)) return false;
    if (!one.second.left) took = now;
    return true;
  });
  const auto known = entries_.find(relay.id);
  if (known != entries_.end()) {
    Entry& entry = known->second;
    const bool changed = entry.relay != relay || replaced != 0;
    entry.connections = entry.left ? 1 : entry.connections + 1;
    entry.relay = relay;
    entry.left.reset();
    if (took) entry.took = took;
    return changed ? Change::at_once : Change::none;
  }
  if (entries_.size() >= kPresentRelaysMax) return Change::full;
  entries_.emplace(relay.id, Entry{.relay = relay,
                                   .token = token,
                                   .stamp_secret = crypto::SecretText(stamp_secret),
                                   .name = std::string(name),
                                   .left = std::nullopt,
                                   .took = took});
  return replaced != 0 ? Change::at_once : Change::lack;
}

void RelayRoster::left(Instant now, const Uuid& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.left) return;
  if (--found->second.connections == 0) found->second.left = now;
}

std::optional<Instant> RelayRoster::next_departure() const noexcept {
  std::optional<Instant> next;
  for (const auto& [id, entry] : entries_) {
    if (entry.left && (!next || *entry.left + kRelayDeparture < *next)) next = *entry.left + kRelayDeparture;
  }
  return next;
}

bool RelayRoster::expire(Instant now) {
  const auto gone = [now](const auto& entry) {
    return entry.second.left && now - *entry.second.left >= kRelayDeparture;
  };
  return std::erase_if(entries_, gone) != 0;
}

std::vector<const RelayRoster::Entry*> RelayRoster::select(const Uuid& peer,
                                                           std::span<const KnownRelay> announced) const {
  struct Ranked {
    bool left;
    bool fresh;
    std::array<std::uint8_t, 16> order;
    const Entry* entry;
  };
  std::vector<Ranked> ranked;
  for (const auto& [id, entry] : entries_) {
    const bool known = std::ranges::find(announced, id, &KnownRelay::id) != announced.end();
    // One that is away for a moment keeps its place with those who have it.
    ranked.push_back(
        {.left = entry.left && !known,
         .fresh = !known,
         .order = front_of_hash({std::as_bytes(std::span(peer.bytes)), std::as_bytes(std::span(id.bytes))}),
         .entry = &entry});
  }
  std::ranges::sort(ranked, {}, [](const Ranked& r) { return std::tie(r.left, r.fresh, r.order); });
  std::vector<const Entry*> chosen;
  for (const Ranked& candidate : std::span(ranked).first(std::min(ranked.size(), kRelaysOffered))) {
    chosen.push_back(candidate.entry);
  }
  return chosen;
}

}  // namespace fireline::portal
