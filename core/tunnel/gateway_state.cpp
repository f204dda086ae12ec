#include "core/tunnel/gateway_state.h"

#include <utility>

namespace fireline::tunnel {
namespace {

node::NodeOptions node_options(node::NodeOptions options, GatewayPackets& packets) {
  options.role = node::NodeRole::gateway;
  options.policy = &packets;
  return options;
}

}  // namespace

GatewayState::GatewayState(node::NodeOptions options, const crypto::Key& private_key, Now start,
                           packet::BufferSource& large, packet::BufferSource& small, crypto::Random& random,
                           crypto::Aead& aead)
    : packets(options.mtu, clients, counters),
      node(node_options(std::move(options), packets), private_key, start, large, small, random, aead) {}

void GatewayState::finish(Now now, packet::Output& output) {
  send_answers(now, output);
  close_gone(now, output);
  collect_events();
  if (relay_asks.poll(now.boot)) events.emplace_back(RelaysWanted());
  if (!clients.may_expire()) {
    next_tick.reset();
  } else if (!next_tick) {
    next_tick = now.boot + kExpiryTick;
  }
}

void GatewayState::send_answers(Now now, packet::Output& output) {
  for (const GatewayPackets::Answer& answer : packets.answers()) {
    node.send_packet(now, answer.client, packets.bytes_of(answer), output);
  }
  packets.clear_answers();
}

void GatewayState::close_gone(Now now, packet::Output& output) {
  for (const ClientGone& gone : clients.take_gone()) {
    events.emplace_back(gone);
    node.close(now, gone.client.to_string(), output);
  }
}

void GatewayState::collect_events() {
  while (events.size() < kGatewayEventsMax) {
    auto event = node.poll_event();
    if (!event) return;
    take(std::move(*event));
  }
}

void GatewayState::take(node::NodeEvent event) {
  using Kind = node::NodeEvent::Kind;
  if (event.kind == Kind::no_relays_left) {
    relay_asks.want();
    return;
  }
  const auto id = Uuid::parse(event.connection);
  if (!id) return;  // none that was made here
  switch (event.kind) {
    case Kind::candidates_gathered:
    case Kind::candidates_invalidated:
      events.emplace_back(portal::IceCandidates{.peer = *id,
                                                .candidates = std::move(event.candidates),
                                                .invalidate = event.kind == Kind::candidates_invalidated});
      return;
    case Kind::failed:
    case Kind::closed:
      // Told late, it may be about an earlier connection of the same client.
      if (!node.has_connection(event.connection)) {
        clients.set_connected(*id, false);
        // Whoever says goodbye starts from nothing when he comes back.
        if (event.kind == Kind::closed) clients.forget(*id);
      }
      break;
    case Kind::established:
    case Kind::path_changed:
    case Kind::no_relays_left:
      break;
  }
  events.emplace_back(
      ClientReport{.client = *id, .kind = event.kind, .reason = event.reason, .path = std::move(event.path)});
}

}  // namespace fireline::tunnel
