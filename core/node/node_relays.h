// What relays tell about our addresses and who hears of it (connectivity specification 2.4), and which relay a
// connection uses (2.2, 2.10). Part of a Node: see node_state.h for lifetime and threads.
#pragma once
#include "core/node/node_state.h"

namespace fireline::node {

void handle_relay_event(NodeState& state, Now now, const turn::RelayEvent& event);

// All that relays tell about hosts and reflexive addresses, and the relayed candidates of the connection's own relay.
// What is new to the agent is signalled.
void add_local_candidates(NodeState& state, Now now, Connection& connection);

// Whether a relay can be chosen for it.
[[nodiscard]] bool wants_relay(const NodeState& state, const Connection& connection) noexcept;
// Another relay in the place of one that is gone. False: there is none, the connection goes on as it is.
bool choose_relay(NodeState& state, Now now, Connection& connection);

}  // namespace fireline::node
