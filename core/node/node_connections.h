// Connections come and go, and what the portal carries between their ends.
// Part of a Node: see node_state.h for lifetime and threads. Each but handle_device_events() is to be followed by
// settle().
#pragma once
#include <span>
#include <vector>

#include "core/node/node_state.h"

namespace fireline::node {

UpsertOutcome upsert(NodeState& state, Now now, const ConnectionParameters& parameters);
void add_remote_candidates(NodeState& state, Now now, std::string_view id, std::span<const std::string> candidates);
void invalidate_remote_candidates(NodeState& state, Now now, std::string_view id,
                                  std::span<const std::string> candidates);

void set_allowed_ips(NodeState& state, Now now, Connection& connection, std::vector<Prefix> allowed_ips);
void fail(NodeState& state, Now now, Connection& connection, FailureReason reason);
// One goodbye if there is a path.
void close(NodeState& state, Now now, Connection& connection);
// All, without a word to the peers; the event `closed` for each. And a new key.
void reset(NodeState& state, Now now, const crypto::Key& private_key);

// Goodbyes and the ends of tunnels. To be called behind everything that the device did.
void handle_device_events(NodeState& state, Now now);

}  // namespace fireline::node
