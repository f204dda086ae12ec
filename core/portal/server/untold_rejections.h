// Grants that ended and of which their gateway may not know: because it is away, because it has much to read, or
// because its connection was dead when it was told. Its `init` does not take them from it: a baseline gateway leaves
// clients that are not named there as they are. Source: portal specification 4.1.
//
// Lifetime: a value; a restart of the portal forgets it. Threads: one. Limit: kUntoldMax, and as many that were told
// lately.
#pragma once
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>

#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/portal/server/grants.h"

namespace fireline::portal {

// A full table of grants, 150 bytes each. What does not fit lasts on its gateway until the grant's own end.
inline constexpr std::size_t kUntoldMax = kGrantsMax;

// A gateway ends a grant by its own clock: later than here by that much at most.
inline constexpr Timestamp kClockSlack = 3600;

// What was sent earlier has arrived, or its connection was closed as idle (idle_timeout() of gateways).
inline constexpr Duration kToldMemory = std::chrono::minutes(2);

class UntoldRejections {
 public:
  // `end`: the grant's. False when it does not fit; not for one whose end is over anyway.
  [[nodiscard]] bool add(const GrantKey& key, Timestamp end, Now now);
  [[nodiscard]] std::optional<GrantKey> next(const Uuid& gateway) const;
  // It is told, or need not be; false: it was not among them.
  bool take(const GrantKey& key);

  // Sent to a connection that may be dead.
  void told(const GrantKey& key, Instant now);
  // The gateway has a new connection: what it was told lately it may not have heard.
  void recall(const Uuid& gateway, Now now);

  // The device is no more.
  void forget(const Uuid& gateway);

 private:
  using Ends = std::map<GrantKey, Timestamp>;
  struct Told {
    GrantKey key;
    Instant when;
  };

  void drop_ended(Timestamp now);

  std::unordered_map<Uuid, Ends> of_gateway_;  // none is empty
  std::size_t count_ = 0;
  std::optional<Timestamp> dropped_;  // drop_ended() was called last
  std::deque<Told> told_;             // ascending
};

}  // namespace fireline::portal
