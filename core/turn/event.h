// What an allocation tells its owner: our addresses as relays see or make them, and the allocation's end.
// Plain facts; ICE makes candidates of them. Lifetime: values. Threads: any.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/base/endpoint.h"

namespace fireline::turn {

enum class CandidateKind : std::uint8_t { host, server_reflexive, relayed };

struct Candidate {
  CandidateKind kind = CandidateKind::host;
  Endpoint address;
  Endpoint base;  // what we send from: of a host or relayed candidate its own address
  // Family in which we talk to the relay; a relayed candidate of the other family has a lower priority.
  Family server_family = Family::v4;

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

enum class DiscardReason : std::uint8_t {
  none,
  no_response,     // no server address ever answered: is STUN blocked?
  lost,            // answered once and then went silent
  authentication,  // the relay refuses our credentials
  protocol,        // 420: the relay lacks something that we need
};

enum class EventKind : std::uint8_t {
  candidate_added,        // also when the same address is known again with another base
  candidate_invalidated,  // comes after the addition of what replaces it
  discarded,              // always the last event; the allocation does nothing any more
};

struct Event {
  EventKind kind = EventKind::candidate_added;
  Candidate candidate;                         // of the first two
  DiscardReason reason = DiscardReason::none;  // of `discarded`

  friend bool operator==(const Event&, const Event&) = default;
};

// The texts stand in status and logs.
[[nodiscard]] constexpr std::string_view name_of(CandidateKind kind) noexcept {
  switch (kind) {
    case CandidateKind::host:
      return "host";
    case CandidateKind::server_reflexive:
      return "server_reflexive";
    case CandidateKind::relayed:
      return "relayed";
  }
  return "";
}

[[nodiscard]] constexpr std::string_view name_of(DiscardReason reason) noexcept {
  switch (reason) {
    case DiscardReason::none:
      return "none";
    case DiscardReason::no_response:
      return "no response; is STUN blocked?";
    case DiscardReason::lost:
      return "the relay went silent";
    case DiscardReason::authentication:
      return "authentication error";
    case DiscardReason::protocol:
      return "protocol failure";
  }
  return "";
}

}  // namespace fireline::turn
