#include "core/node/node_settle.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/node/node_path.h"
#include "core/node/node_relays.h"
#include "core/node/node_timeout.h"
#include "core/stun/channel_data.h"

namespace fireline::node {
namespace {

void listen(NodeState& state, Now now, Connection& connection);
void send_check(NodeState& state, Now now, Connection& connection, const ice::AgentTransmit& transmit, Bytes message);

}  // namespace

void settle(NodeState& state, Now now) {
  for (;;) {
    send_to_relays(state);
    if (const auto event = state.relays.poll_event()) {
      handle_relay_event(state, now, *event);
    } else if (std::exchange(state.relays_spoke, false)) {
      resume_paths(state, now);
    } else if (!state.touched.empty()) {
      Connection& connection = *state.touched.back();
      state.touched.pop_back();
      connection.touched = false;
      listen(state, now, connection);
    } else {
      return;
    }
  }
}

void send_to_relays(NodeState& state) {
  std::array<std::byte, turn::kMaxRequestBytes> request;
  while (const auto transmit = state.relays.poll_transmit(request)) {
    // The kernel chooses the source: whatever route leads to the relay is right.
    if (!state.outbox.send(ConstBytes(request).first(transmit->bytes), transmit->destination, {})) {
      state.counters.add(NodeCounter::unsent_no_buffer);
    }
  }
}

void arm(NodeState& state, Now now, Connection& connection) {
  Instant deadline = connection.agent.poll_timeout().value_or(Instant::max());
  state.deadlines.set(connection, std::min(deadline, own_deadline(state, now, connection)));
}

namespace {

void listen(NodeState& state, Now now, Connection& connection) {
  std::array<std::byte, stun::kChannelHeaderBytes + ice::kTransmitBytesMax> scratch;
  const Bytes room = Bytes(scratch).subspan(stun::kChannelHeaderBytes);
  while (const auto transmit = connection.agent.poll_transmit(room)) {
    send_check(state, now, connection, *transmit, Bytes(scratch).first(stun::kChannelHeaderBytes + transmit->bytes));
  }
  while (const auto event = connection.agent.poll_event()) {
    switch (event->kind) {
      case ice::AgentEvent::Kind::path_changed:
        apply_nomination(state, now, connection, event->path);
        break;
      case ice::AgentEvent::Kind::state_changed:
        if (event->state != ice::AgentState::disconnected) {
          connection.disconnected.reset();
        } else if (!connection.disconnected) {
          connection.disconnected = now.boot;
        }
        break;
      case ice::AgentEvent::Kind::peer_reflexive_discovered:
        break;  // bound on demand, when the first check goes there
    }
  }
  arm(state, now, connection);
}

// `message` begins with room for a channel header.
void send_check(NodeState& state, Now now, Connection& connection, const ice::AgentTransmit& transmit, Bytes message) {
  const Bytes bare = message.subspan(stun::kChannelHeaderBytes);
  bool sent = false;
  if (transmit.source_kind != ice::CandidateKind::relayed) {
    sent = state.outbox.send(bare, transmit.destination, transmit.source.address);
  } else {
    turn::Allocation* allocation = state.relays.find(connection.relay);
    const Family family = transmit.source.address.family();
    if (allocation == nullptr || allocation->candidates().relayed(family) != transmit.source) {
      return state.counters.add(NodeCounter::unsent_no_relay);
    }
    const auto channel = allocation->channel_for(now, transmit.destination, connection.channel_owner());
    const auto server = allocation->server();
    if (!channel || !server) return state.counters.add(NodeCounter::unsent_no_channel);
    stun::write_channel_header(message, *channel, static_cast<std::uint16_t>(bare.size()));
    sent = state.outbox.send(message, *server, {});
  }
  state.counters.add(sent ? NodeCounter::sent_checks : NodeCounter::unsent_no_buffer);
}

}  // namespace

}  // namespace fireline::node
