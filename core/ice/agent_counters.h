// What ICE agents did and dropped, under the names in status and metrics. One set may serve all agents of a thread.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/base/counters.h"

namespace fireline::ice {

// Each datagram that handle_binding() does not use adds to exactly one of the drop_ counters.
enum class AgentCounter : std::uint8_t {
  requests_sent,
  requests_received,
  responses_sent,
  responses_received,
  pairs_failed,
  pairs_refused,       // worse than kPairsMax others
  candidates_refused,  // the set is full
  drop_not_binding,    // another method
  drop_indication,
  drop_error_response,
  drop_no_username,  // absent or without a second half
  drop_wrong_username,
  drop_no_priority,
  drop_no_integrity,
  drop_wrong_integrity,
  drop_role,                 // USE-CANDIDATE from the controlled side
  drop_unknown_destination,  // it arrived on no candidate of ours
  drop_discarded_source,     // from a candidate that the peer withdrew
  drop_unusable_source,      // another family than the destination, or no address that can be answered
  drop_candidates_full,      // from a new address, and the set is full
  drop_responses_full,       // the caller did not drain the answers
  drop_unknown_transaction,
  drop_no_mapped_address,
  drop_asymmetric,  // an answer on another way than the request
  count_
};

[[nodiscard]] constexpr std::string_view name_of(AgentCounter which) noexcept {
  switch (which) {
    case AgentCounter::requests_sent:
      return "ice.requests_sent";
    case AgentCounter::requests_received:
      return "ice.requests_received";
    case AgentCounter::responses_sent:
      return "ice.responses_sent";
    case AgentCounter::responses_received:
      return "ice.responses_received";
    case AgentCounter::pairs_failed:
      return "ice.pairs_failed";
    case AgentCounter::pairs_refused:
      return "ice.pairs_refused";
    case AgentCounter::candidates_refused:
      return "ice.candidates_refused";
    case AgentCounter::drop_not_binding:
      return "ice.drop.not_binding";
    case AgentCounter::drop_indication:
      return "ice.drop.indication";
    case AgentCounter::drop_error_response:
      return "ice.drop.error_response";
    case AgentCounter::drop_no_username:
      return "ice.drop.no_username";
    case AgentCounter::drop_wrong_username:
      return "ice.drop.wrong_username";
    case AgentCounter::drop_no_priority:
      return "ice.drop.no_priority";
    case AgentCounter::drop_no_integrity:
      return "ice.drop.no_integrity";
    case AgentCounter::drop_wrong_integrity:
      return "ice.drop.wrong_integrity";
    case AgentCounter::drop_role:
      return "ice.drop.role";
    case AgentCounter::drop_unknown_destination:
      return "ice.drop.unknown_destination";
    case AgentCounter::drop_discarded_source:
      return "ice.drop.discarded_source";
    case AgentCounter::drop_unusable_source:
      return "ice.drop.unusable_source";
    case AgentCounter::drop_candidates_full:
      return "ice.drop.candidates_full";
    case AgentCounter::drop_responses_full:
      return "ice.drop.responses_full";
    case AgentCounter::drop_unknown_transaction:
      return "ice.drop.unknown_transaction";
    case AgentCounter::drop_no_mapped_address:
      return "ice.drop.no_mapped_address";
    case AgentCounter::drop_asymmetric:
      return "ice.drop.asymmetric";
    case AgentCounter::count_:
      break;
  }
  return "";
}

}  // namespace fireline::ice
