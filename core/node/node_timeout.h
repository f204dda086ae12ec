// Timers of connections, idle mode and hints. The timers of one connection:
//
//   no candidates    10 s after its creation, as long as nothing of the peer is known. Due: failed.
//   disconnected     2 s after ICE had nothing left. Due: failed.
//   idle             20 s after the last IP packet or event that wakes, while ICE is connected. Due: slow checks.
//   relay            At once when its relay is gone and another one is there. Due: choose it.
//   channel          When the channel of its path lapses. Due: bind again, suspend meanwhile.
//   silence          While packets go out and nothing comes back. Due: a check at once; then another one, and the
//                    connection's relay is asked.
//
// ICE's own are in the agent, those of sessions in the device. Part of a Node: see node_state.h for lifetime and
// threads.
#pragma once
#include "core/node/node_state.h"

namespace fireline::node {

// Instant::max(): none is set.
[[nodiscard]] Instant own_deadline(const NodeState& state, Now now, const Connection& connection);
[[nodiscard]] std::optional<Instant> next_timeout(const NodeState& state) noexcept;
// Runs the connections that are due. To be followed by settle().
void run_connections(NodeState& state, Now now);

// Leaves idle mode, and starts the time to the next one anew in any case.
void wake(NodeState& state, Now now, Connection& connection);

// Everything is asked whether it still works: relays, all pairs of all connections.
void recheck(NodeState& state, Now now);
// Nobody listens at `destination`, says ICMP: a relay of ours is asked (turn::Allocation::suspect), and the connections
// whose paths lead there check them, each once in kHintInterval. O(1) whatever the address is.
void probe(NodeState& state, Now now, const Endpoint& destination);

}  // namespace fireline::node
