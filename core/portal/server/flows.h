// Questions that wait for a gateway's answer. The gateway's `flow_authorized` carries nothing but a reference, which
// therefore finds everything again and cannot be guessed: 128 random bits. Source: portal specification 6.9, 6.12.
// Lifetime: a value. Threads: one. Limits: kFlowsMax, kFlowsClientMax, kFlowPatience.
#pragma once
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/crypto/random.h"
#include "core/portal/client_messages.h"
#include "core/portal/server/actions.h"

namespace fireline::portal {

inline constexpr std::size_t kFlowsMax = 16'384;
// A client that wants each of a thousand resources within one round trip.
inline constexpr std::size_t kFlowsClientMax = 1024;
// Gateways answer in a round trip; a client asks again after 2 s.
inline constexpr Duration kFlowPatience = std::chrono::seconds(30);

struct PendingFlow {
  ConnectionId client = ConnectionId::none;
  ConnectionId gateway = ConnectionId::none;
  FlowCreated answer;
};

class FlowTable {
 public:
  // The reference, or nothing at a limit.
  [[nodiscard]] std::optional<std::string> add(Instant now, crypto::Random& random, PendingFlow flow);
  // Each reference works once, and for the gateway that was asked alone.
  [[nodiscard]] std::optional<PendingFlow> take(ConnectionId gateway, const std::string& ref);
  void expire(Instant now);
  [[nodiscard]] std::size_t size() const noexcept { return flows_.size(); }

 private:
  struct Entry {
    PendingFlow flow;
    Instant asked;
  };
  void erase(std::unordered_map<std::string, Entry>::iterator entry);

  std::unordered_map<std::string, Entry> flows_;
  std::deque<std::pair<Instant, std::string>> by_age_;
  std::unordered_map<ConnectionId, std::size_t> of_client_;
};

}  // namespace fireline::portal
