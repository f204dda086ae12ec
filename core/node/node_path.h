// Nominated paths. A path through a relay of ours is good as long as its channel may be used: when the channel or the
// allocation is lost, the device is told that there is none, so that a client's packets wait and nothing leaves on a
// number that the relay may have given to another peer.
// Part of a Node: see node_state.h for lifetime and threads.
#pragma once
#include "core/node/node_state.h"

namespace fireline::node {

// ICE has chosen. Also in idle mode, which goes on.
void apply_nomination(NodeState& state, Now now, Connection& connection, const ice::Path& path);
// Gives the device the connection's path as it can be used at this moment; starts a binding where one is missing.
void route(NodeState& state, Now now, Connection& connection);
// After a relay said something: paths that waited for it go on.
void resume_paths(NodeState& state, Now now);
// The client's handshake that no packet asks for; at most one per kProactiveHandshakeInterval.
void start_handshake(NodeState& state, Now now, Connection& connection);

// For events and status; not without a path.
[[nodiscard]] PathState path_state(const Connection& connection);

}  // namespace fireline::node
