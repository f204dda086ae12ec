// How often the portal may be asked for one resource. While packets come:
//
//   first question, or the gateway that it had is gone   at once
//   no answer yet, no gateway online                     kIntentInterval behind the last question
//   refused, or granted and refused by the gateway       twice the time of the last round, up to kIntentIntervalMax
//
// What no policy permits would otherwise be asked for every two seconds for as long as some program tries. A change of
// the resource begins anew: it may be permitted by then.
//
// Source: tunnel specification 2.5, portal specification 3.2; growing intervals are fireline's own. Lifetime: a value.
// Threads: one owner. Limit: the resources that the owner asks for and does not forget.
#pragma once
#include <chrono>
#include <cstdint>
#include <unordered_map>

#include "core/base/time.h"
#include "core/base/uuid.h"

namespace fireline::tunnel {

inline constexpr Duration kIntentInterval = std::chrono::seconds(2);
// Portals look at their conditions this often (portal specification 6.4).
inline constexpr Duration kIntentIntervalMax = std::chrono::seconds(60);

// Why the portal is asked.
enum class IntentReason : std::uint8_t {
  no_gateway,
  silent,      // the gateway does not answer
  prohibited,  // the gateway does not let it through
};

class IntentPace {
 public:
  // True: ask now.
  [[nodiscard]] bool ask(Instant now, const Uuid& resource, IntentReason reason);
  // It is asked for another reason.
  void asked(Instant now, const Uuid& resource);

  void granted(const Uuid& resource);
  void refused(const Uuid& resource);
  // The resource may be permitted by now; also behind the portal's word that no gateway is online.
  void renew(const Uuid& resource);
  void forget(const Uuid& resource) { rounds_.erase(resource); }

 private:
  struct Round {
    Instant asked{};
    Duration interval = kIntentInterval;
    bool granted = false;  // since it was asked for
  };
  static void lengthen(Round& round) noexcept;

  std::unordered_map<Uuid, Round> rounds_;
};

}  // namespace fireline::tunnel
