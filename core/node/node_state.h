// What the parts of a Node share. A plain record with the few functions that every part needs; the rules stand in:
//   node_connections.h  upsert, candidates of the peer, close and failure
//   node_relays.h       what relays tell, and which relay a connection uses
//   node_path.h         nominated paths: given to the device, suspended, named
//   node_settle.h       agents and relays are drained until all are silent
//   node_timeout.h      timers, idle mode, hints
//   demultiplexer.h     what a datagram is
// Lifetime and threads: those of the Node, which owns it and alone lets others near it.
#pragma once
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/deadline_heap.h"
#include "core/node/connection_table.h"
#include "core/node/demultiplexer.h"
#include "core/node/node.h"
#include "core/node/outbox.h"
#include "core/node/stragglers.h"
#include "core/turn/relay_set.h"
#include "core/wireguard/device.h"

namespace fireline::node {

struct NodeState final : StunReceiver, wireguard::ReturnPath {
  NodeState(const NodeOptions& node_options, Now start, packet::BufferSource& large, packet::BufferSource& small,
            crypto::Random& random_source, crypto::Aead& aead);

  [[nodiscard]] bool is_client() const noexcept { return options.role == NodeRole::client; }

  // The agent has something to say; settle() listens.
  void touch(Connection& connection);
  // Something is to be told about the connection.
  void mark(Connection& connection);
  void report_end(Connection& connection, NodeEvent::Kind kind, FailureReason reason);
  [[nodiscard]] std::optional<NodeEvent> poll_event();

  void receive_stun(Now now, const Endpoint& source, const Endpoint& destination,
                    const stun::MessageView& message) override;
  [[nodiscard]] std::optional<wireguard::PeerPath> return_path(const Endpoint& source,
                                                               const packet::LocalAddress& local) const override;

  NodeOptions options;
  crypto::Random& random;
  Counters<NodeCounter> counters;
  Counters<ice::AgentCounter> ice_counters;
  Now last_input;  // for what asks without a time

  ConnectionTable connections;
  Stragglers stragglers;
  DeadlineHeap<Connection> deadlines;
  turn::RelaySet relays;
  Outbox outbox;
  Demultiplexer demultiplexer;

  std::vector<Connection*> touched;    // each once
  std::vector<Connection*> suspended;  // their paths wait for a channel; each once
  bool relays_spoke = false;           // a channel may have been bound
  std::deque<Connection*> dirty;       // each once; in the order in which they became so
  std::deque<NodeEvent> ended;         // connections that are gone
  bool no_relays_left = false;

  wireguard::Device device;  // last: it asks return_path()
};

}  // namespace fireline::node
