// What a node counts besides its parts (DeviceCounter, AgentCounter, TurnCounter). Every datagram that enters ends in
// exactly one line:
//
//   datagrams = to_device + to_agents + to_relays + every drop_datagram_*
//
// What became of the first three is in the parts' own counters. Channel data counts by what it carries; its wrapping
// counts in TurnCounter. The other counters stand outside of the ledger.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/counters.h"

namespace fireline::node {

enum class NodeCounter : std::uint8_t {
  datagrams,
  to_device,                       // WireGuard, and what is neither STUN nor a relay's
  to_agents,                       // STUN of a connection
  to_relays,                       // a relay's answers, and what the TURN client dropped
  drop_datagram_stun_unaddressed,  // STUN that names no connection: no Binding, or no USERNAME
  drop_datagram_stun_unknown,      // names a connection that there is not
  drop_datagram_stun_straggler,    // names a connection that ended within the last seconds
  drop_datagram_stun_unproven,     // several connections have these fragments, none of them its key
  // Datagrams of ours.
  sent_checks,
  unsent_no_channel,  // for a peer without a channel at the relay; one is being bound
  unsent_no_relay,    // from a relayed address that is gone
  unsent_no_buffer,
  // Candidates from the portal.
  remote_candidates,
  drop_candidate_unknown_connection,
  drop_candidate_malformed,
  drop_candidate_other,  // another component or transport, an earlier connection's, or unusable
  drop_candidate_full,
  drop_candidate_too_many,  // beyond kCandidatesPerMessageMax
  // Connections.
  created,
  reused,
  replaced,
  refused_no_relays,
  refused_full,
  failed_no_candidates,
  failed_ice_timeout,
  failed_tunnel_expired,
  closed_by_us,
  closed_by_peer,
  path_changes,
  paths_suspended,
  relays_chosen_again,
  proactive_handshakes,
  goodbyes_sent,
  silences_probed,
  hints,          // ICMP errors that led to probes
  hints_ignored,  // too soon after another, or about no relay and no path in use
  lost_events,    // not fetched in time
  count_
};

[[nodiscard]] constexpr std::string_view name_of(NodeCounter counter) noexcept {
  constexpr std::array<std::string_view, static_cast<std::size_t>(NodeCounter::count_)> kNames{
      "node.datagrams",
      "node.to_device",
      "node.to_agents",
      "node.to_relays",
      "node.drop.stun_unaddressed",
      "node.drop.stun_unknown",
      "node.drop.stun_straggler",
      "node.drop.stun_unproven",
      "node.sent.checks",
      "node.unsent.no_channel",
      "node.unsent.no_relay",
      "node.unsent.no_buffer",
      "node.candidates.remote",
      "node.candidates.drop.unknown_connection",
      "node.candidates.drop.malformed",
      "node.candidates.drop.other",
      "node.candidates.drop.full",
      "node.candidates.drop.too_many",
      "node.connections.created",
      "node.connections.reused",
      "node.connections.replaced",
      "node.connections.refused.no_relays",
      "node.connections.refused.full",
      "node.connections.failed.no_candidates",
      "node.connections.failed.ice_timeout",
      "node.connections.failed.tunnel_expired",
      "node.connections.closed_by_us",
      "node.connections.closed_by_peer",
      "node.paths.changes",
      "node.paths.suspended",
      "node.relays.chosen_again",
      "node.handshakes.proactive",
      "node.goodbyes.sent",
      "node.silences_probed",
      "node.hints",
      "node.hints.ignored",
      "node.events.lost",
  };
  static_assert(!kNames.back().empty(), "a name for each counter");
  return kNames[static_cast<std::size_t>(counter)];
}

}  // namespace fireline::node
