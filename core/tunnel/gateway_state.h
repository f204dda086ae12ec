// What the parts of a Gateway share. The rules stand in client_table.h (grants), gateway_packets.h (packets) and
// gateway_messages.h (what the portal says).
// Lifetime and threads: those of the Gateway, which owns it.
#pragma once
#include <deque>
#include <optional>

#include "core/tunnel/client_table.h"
#include "core/tunnel/gateway.h"
#include "core/tunnel/gateway_packets.h"
#include "core/tunnel/relays_wanted.h"

namespace fireline::tunnel {

struct GatewayState {
  GatewayState(node::NodeOptions options, const crypto::Key& private_key, Now start, packet::BufferSource& large,
               packet::BufferSource& small, crypto::Random& random, crypto::Aead& aead);

  // Behind every input: answers leave, clients without grants go, and what the node tells is taken.
  void finish(Now now, packet::Output& output);

  Counters<GatewayCounter> counters;
  ClientTable clients{counters};
  GatewayPackets packets;
  node::Node node;  // behind `packets`, which it asks
  bool configured = false;
  IpAddress ipv4;
  IpAddress ipv6;
  std::optional<Instant> next_tick;  // set while a grant may expire
  RelayAsks relay_asks;
  std::deque<GatewayEvent> events;

 private:
  void send_answers(Now now, packet::Output& output);
  void close_gone(Now now, packet::Output& output);
  void collect_events();
  void take(node::NodeEvent event);
};

}  // namespace fireline::tunnel
