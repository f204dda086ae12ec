// Questions that wait for a gateway's answer. The gateway's `flow_authorized` carries nothing but a reference, which
// therefore finds everything again and cannot be guessed: 128 random bits. Source: portal specification 6.9, 6.12.
// Lifetime: a value. Threads: one. Limits: kFlowsMax, kFlowsClientMax, kFlowsActorMax, kFlowsGatewayMax, kFlowPatience.
#pragma once
#include <compare>
#include <cstddef>
#include <deque>
#include <map>
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
// One token has as many devices as it likes; a gateway that hangs leaves all of its questions without an answer.
// Neither takes what others need.
inline constexpr std::size_t kFlowsActorMax = kFlowsMax / 4;
inline constexpr std::size_t kFlowsGatewayMax = kFlowsMax / 2;
// Gateways answer in a round trip; a client asks again after 2 s.
inline constexpr Duration kFlowPatience = std::chrono::seconds(30);
// What is asked again sooner is the question that waits. Half of the 2 s that clients keep (portal specification 7.3),
// for the line may bring a late question and its repeat close together.
inline constexpr Duration kFlowRepeat = std::chrono::seconds(1);

struct PendingFlow {
  ConnectionId client = ConnectionId::none;
  ConnectionId gateway = ConnectionId::none;
  Uuid actor;  // the client's
  FlowCreated answer;
};

class FlowTable {
 public:
  // Whether the same connections have a question for that resource under way that is younger than kFlowRepeat. Whoever
  // connects anew has none.
  [[nodiscard]] bool waits(Instant now, ConnectionId client, ConnectionId gateway, const Uuid& resource) const;
  // The reference, or nothing at a limit.
  [[nodiscard]] std::optional<std::string> add(Instant now, crypto::Random& random, PendingFlow flow);
  // Each reference works once, and for the gateway that was asked alone.
  [[nodiscard]] std::optional<PendingFlow> take(ConnectionId gateway, const std::string& ref);
  void expire(Instant now);
  // Its questions have no answer any more.
  void gateway_closed(ConnectionId gateway);
  [[nodiscard]] std::size_t size() const noexcept { return flows_.size(); }

 private:
  struct Entry {
    PendingFlow flow;
    Instant asked;
  };
  struct Question {
    ConnectionId client;
    ConnectionId gateway;
    Uuid resource;
    friend auto operator<=>(const Question&, const Question&) noexcept = default;
  };
  [[nodiscard]] static Question question_of(const PendingFlow& flow) noexcept;
  void erase(std::unordered_map<std::string, Entry>::iterator entry);

  std::unordered_map<std::string, Entry> flows_;
  std::deque<std::pair<Instant, std::string>> by_age_;
  std::map<Question, Instant> asked_last_;  // until one of them is answered or expires
  std::unordered_map<ConnectionId, std::size_t> of_client_;
  std::unordered_map<ConnectionId, std::size_t> of_gateway_;
  std::unordered_map<Uuid, std::size_t> of_actor_;
};

}  // namespace fireline::portal
