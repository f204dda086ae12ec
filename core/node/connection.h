// Everything that a node knows about one connection. A plain record: the node's parts (node_state.h) keep its rules.
//
//   connecting ──first nomination──▶ connected ──20 s without a packet──▶ idle
//                                        ▲                                 │ packet, upsert, candidate of the peer or
//                                        └─────────────────────────────────┘ new one of ours
//   any ──no candidate in 10 s, ICE disconnected for 2 s, tunnel expired──▶ failed: gone
//   any ──goodbye received, close(), reset()──▶ closed: gone
//
// Lifetime: made and dropped by ConnectionTable; never moves. Threads: one owner.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/base/deadline_heap.h"
#include "core/ice/agent.h"
#include "core/node/candidate_signals.h"
#include "core/node/connection_parameters.h"
#include "core/node/node_event.h"
#include "core/node/node_status.h"
#include "core/turn/channels.h"

namespace fireline::node {

struct Connection {
  Connection(const ConnectionParameters& identity, ice::Role role, ice::AgentTag tag, Instant now,
             crypto::Random& random, Counters<ice::AgentCounter>& counters)
      : parameters(identity),
        agent({.role = role, .local = identity.local, .remote = identity.remote, .tag = tag}, random, counters),
        created(now),
        active(now) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Who asks for channels at relays: the same for every connection under this id, whatever its keys are.
  [[nodiscard]] turn::ChannelOwner channel_owner() const noexcept {
    return turn::ChannelOwner{std::hash<std::string>{}(parameters.id) | 1};  // never nobody
  }

  ConnectionParameters parameters;
  ice::Agent agent;
  std::string relay;  // empty: another one is to be chosen

  // States.
  ConnectionPhase phase = ConnectionPhase::connecting;
  Instant created;
  Instant active;                       // the last event that wakes; packets count in the device
  std::optional<Instant> disconnected;  // since when ICE has nothing

  // Path.
  std::optional<PathState> path;         // nominated last, used until another one is; the table's set_path() alone
  bool suspended = false;                // it leads through a channel that is not bound: the device has no path
  std::optional<Instant> channel_until;  // ask the relay's client again
  std::optional<Instant> proactive;      // the last time that a handshake was due without a packet
  std::optional<Instant> silence;        // the beginning of the one that was probed last
  std::uint8_t silence_probes = 0;       // of it
  std::optional<Instant> hint;           // the last ICMP error that was followed

  // To be told to the owner.
  CandidateSignals signals;
  bool established_unreported = false;
  bool path_unreported = false;

  // Of the lists that hold it.
  std::uint32_t heap_position = kNotInHeap;
  bool touched = false;  // its agent has something to say
  bool dirty = false;    // something is to be told
};

}  // namespace fireline::node
