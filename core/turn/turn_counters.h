// Counters of the TURN client. Each datagram or request that is dropped adds to exactly one of them.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/base/counters.h"

namespace fireline::turn {

enum class TurnCounter : std::uint8_t {
  // Messages from relays.
  responses,             // accepted
  drop_malformed,        // parses neither as a message nor as channel data of exactly its length
  drop_no_response,      // a request or indication
  drop_unknown,          // no outstanding request has its transaction id, method and server: late, repeated or forged
  drop_unsigned,         // no MESSAGE-INTEGRITY where one must be
  drop_wrong_integrity,  // signed with another key
  drop_unusable,         // a success that lacks what it must carry
  drop_other_realm,      // asks for credentials of a realm that is not ours; the request is given up
  error_other,           // errors without a rule of their own
  error_repeated,        // challenges or resynchronisations beyond their limit; the request is given up
  drop_former_relay,     // from a relay that we no longer use
  // Channel data from relays.
  channel_data,
  drop_channel_unknown,  // no such channel, or not bound
  // Requests.
  requests,  // first transmissions
  retransmissions,
  requests_given_up,  // no answer in time
  // Channels.
  bind_no_channel,       // all 4096 numbers are in use or cooling down
  bind_share_used,       // its owner has as many as one may have
  bind_too_many,         // too many ChannelBinds in flight
  bind_wrong_family,     // a buffered peer whose family the allocation did not get
  bind_suspended,        // there is no allocation, and nothing is on the way to get one
  buffered_overwritten,  // the oldest waiting peer gave way
  // Relays.
  relays_discarded,  // by us: silent, or refusing us
  entries_ignored,   // beyond the limit of relays, or a second address of one family
  count_
};

[[nodiscard]] constexpr std::string_view name_of(TurnCounter which) noexcept {
  switch (which) {
    case TurnCounter::responses:
      return "turn.responses";
    case TurnCounter::drop_malformed:
      return "turn.drop.malformed";
    case TurnCounter::drop_no_response:
      return "turn.drop.no_response";
    case TurnCounter::drop_unknown:
      return "turn.drop.unknown";
    case TurnCounter::drop_unsigned:
      return "turn.drop.unsigned";
    case TurnCounter::drop_wrong_integrity:
      return "turn.drop.wrong_integrity";
    case TurnCounter::drop_unusable:
      return "turn.drop.unusable";
    case TurnCounter::drop_other_realm:
      return "turn.drop.other_realm";
    case TurnCounter::error_other:
      return "turn.error.other";
    case TurnCounter::error_repeated:
      return "turn.error.repeated";
    case TurnCounter::drop_former_relay:
      return "turn.drop.former_relay";
    case TurnCounter::channel_data:
      return "turn.channel_data";
    case TurnCounter::drop_channel_unknown:
      return "turn.drop.channel_unknown";
    case TurnCounter::requests:
      return "turn.requests";
    case TurnCounter::retransmissions:
      return "turn.retransmissions";
    case TurnCounter::requests_given_up:
      return "turn.requests_given_up";
    case TurnCounter::bind_no_channel:
      return "turn.bind.no_channel";
    case TurnCounter::bind_share_used:
      return "turn.bind.share_used";
    case TurnCounter::bind_too_many:
      return "turn.bind.too_many";
    case TurnCounter::bind_wrong_family:
      return "turn.bind.wrong_family";
    case TurnCounter::bind_suspended:
      return "turn.bind.suspended";
    case TurnCounter::buffered_overwritten:
      return "turn.bind.buffered_overwritten";
    case TurnCounter::relays_discarded:
      return "turn.relays_discarded";
    case TurnCounter::entries_ignored:
      return "turn.entries_ignored";
    case TurnCounter::count_:
      break;
  }
  return "";
}

}  // namespace fireline::turn
