// Agents and relays lead each other on: a relay's answer brings a candidate, which makes checks, which bind channels.
// Part of a Node: see node_state.h for lifetime and threads.
#pragma once
#include "core/node/node_state.h"

namespace fireline::node {

// To be called behind every input: until no relay and no touched agent has anything left to send or to tell.
void settle(NodeState& state, Now now);
// What relays are to be asked leaves; to be called before data that relies on it.
void send_to_relays(NodeState& state);
// When the connection wants to be looked at again.
void arm(NodeState& state, Now now, Connection& connection);

}  // namespace fireline::node
