// The portal's relay list: one entry per address, merged to one offer per relay. A relay with an IPv4 and an IPv6
// address would otherwise get two allocations.
// Lifetime: values. Threads: any.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/turn/credentials.h"
#include "core/turn/relay_addresses.h"
#include "core/turn/turn_counters.h"

namespace fireline::turn {

enum class RelayEntryKind : std::uint8_t { turn, stun };

struct RelayEntry {
  std::string id;
  RelayEntryKind kind = RelayEntryKind::turn;
  Endpoint address;
  std::string username;
  std::string password;         // the caller wipes it
  std::int64_t expires_at = 0;  // Unix seconds; the user name says it to the relay
};

struct RelayOffer {
  std::string id;
  RelayAddresses addresses;
  Credentials credentials;
};

// Relays at once. The portal hands out two; a list beyond this is a mistake that must not cost a request each.
inline constexpr std::size_t kRelaysMax = 16;

// In the order of each relay's first entry, wherever its others stand; credentials of the last one. Ignored: entries of
// kind `stun`; and, counted, a second address of one family, user names that no message can carry, and relays beyond
// kRelaysMax.
[[nodiscard]] std::vector<RelayOffer> merge_entries(std::span<const RelayEntry> entries,
                                                    Counters<TurnCounter>& counters);

}  // namespace fireline::turn
