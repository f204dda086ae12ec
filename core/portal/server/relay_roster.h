// Which relays there are, which two of them a peer is offered, and when a departure counts. Relays reconnect a dozen
// times a day without losing an allocation: a departure is said only when 3 s have passed without a return.
// Source: portal specification 6.2 (id from the secret), 6.7, 6.8.
//
// A place is an address with a port. Whoever holds one keeps it from relays of other tokens until its departure counts:
// no relay token takes another one's relays away. One of the same token takes it at once: a relay that starts again has
// another secret, and its older connection may not have been missed yet.
//
// A peer keeps the relays that it was told while they are there; free places are filled in an order that is random
// among relays and fixed for a peer, so that a reconnect offers the same ones. Lifetime: a value. Threads: one.
// Limit: kRelaysMax.
#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/crypto/secret_text.h"
#include "core/portal/server/session.h"

namespace fireline::portal {

inline constexpr std::size_t kRelaysOffered = 2;
inline constexpr Duration kRelayDeparture = std::chrono::seconds(3);
inline constexpr std::size_t kPresentRelaysMax = 256;
// Two relays of one token that are told the same address would take it from each other at every connect, and each time
// all peers lose what goes through it: who took it from one that was connected has it for that long.
inline constexpr Duration kRelayHold = std::chrono::seconds(60);

class RelayRoster {
 public:
  struct Entry {
    KnownRelay relay;
    Uuid token;
    crypto::SecretText stamp_secret;
    std::string name;  // for status
    std::size_t connections = 1;
    std::optional<Instant> left;  // no connection since
    std::optional<Instant> took;  // the place of another one that was connected
  };
  using Entries = std::map<Uuid, Entry>;

  enum class Change : std::uint8_t { none, lack, at_once, full, taken };
  // at_once: peers have to be told now, since a relay took the place of another one or moved. lack: those that have
  // fewer relays than they could have may be told. full, taken: nothing has changed.
  Change joined(Instant now, const Uuid& token, const KnownRelay& relay, std::string_view stamp_secret,
                std::string_view name);
  // Whether another relay keeps its place, or its id, from this one. Before a join the id is zero, which no relay has.
  [[nodiscard]] bool is_taken(Instant now, const Uuid& token, const KnownRelay& relay) const;
  void left(Instant now, const Uuid& id);
  // When the next departure counts.
  [[nodiscard]] std::optional<Instant> next_departure() const noexcept;
  // True when some relay is gone.
  [[nodiscard]] bool expire(Instant now);

  // At most kRelaysOffered; relays that are gone for less than kRelayDeparture where there is nothing better.
  [[nodiscard]] std::vector<const Entry*> select(const Uuid& peer, std::span<const KnownRelay> announced) const;
  [[nodiscard]] const Entries& entries() const noexcept { return entries_; }

 private:
  Entries entries_;
};

}  // namespace fireline::portal
