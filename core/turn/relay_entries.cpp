#include "core/turn/relay_entries.h"

#include <algorithm>

namespace fireline::turn {

std::vector<RelayOffer> merge_entries(std::span<const RelayEntry> entries, Counters<TurnCounter>& counters) {
  std::vector<RelayOffer> offers;
  for (const RelayEntry& entry : entries) {
    if (entry.kind == RelayEntryKind::stun) continue;
    auto offer = std::ranges::find(offers, entry.id, &RelayOffer::id);
    const bool too_many = offer == offers.end() && offers.size() == kRelaysMax;
    if (too_many || entry.username.empty() || entry.username.size() > stun::kMaxUsernameBytes) {
      counters.add(TurnCounter::entries_ignored);
      continue;
    }
    const Credentials credentials(entry.username, entry.password);
    if (offer == offers.end()) {
      offers.push_back({.id = entry.id, .addresses = {}, .credentials = credentials});
      offer = offers.end() - 1;
    }
    offer->credentials = credentials;
    auto& address = entry.address.address.is_v4() ? offer->addresses.v4 : offer->addresses.v6;
    if (address) {
      if (address != entry.address) counters.add(TurnCounter::entries_ignored);
    } else {
      address = entry.address;
    }
  }
  return offers;
}

}  // namespace fireline::turn
