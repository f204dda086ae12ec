// In place of core/tunnel/client_packets.cpp: a client with valid keys that sends every packet of its TUN to its
// gateway, and takes every packet of its gateway. Only resources without a gateway are asked for first, and their
// packets lost. For tests of what a gateway lets through.
#include "core/tunnel/client_packets.h"

#include <vector>

#include "core/packet/ip_packet.h"
#include "core/tunnel/client_flows.h"
#include "core/tunnel/client_state.h"

namespace fireline::tunnel {
namespace {

// The node sends what is for anybody to the one gateway.
void route_everything(ClientState& state, Now now) {
  static const std::vector<Prefix> kEverything{Prefix::parse("0.0.0.0/0").value(), Prefix::parse("::/0").value()};
  std::vector<Uuid> ids;
  state.gateways.for_each([&](const ConnectedGateway& gateway) { ids.push_back(gateway.id); });
  for (const Uuid& id : ids) {
    ConnectedGateway& gateway = *state.gateways.find(id);
    if (gateway.destinations == kEverything) continue;
    packet::Output output;  // nothing waits for other networks
    state.node.set_allowed_ips(now, gateway.connection, kEverything, output);
    gateway.destinations = kEverything;
  }
}

}  // namespace

void filter_tun_batch(ClientState& state, Now now, packet::TunBatch& batch) {
  state.counters.add(ClientCounter::tun_packets, batch.packets.size());
  std::erase_if(batch.packets, [&](const packet::TunPacket& packet) {
    const auto header = packet::IpHeader::parse(packet.bytes);
    const ResourceEntry* resource = header ? state.resources.match(header->destination()) : nullptr;
    if (resource == nullptr || resource->gateway) return false;
    want_flow(state, now, resource->resource.id, IntentReason::no_gateway);
    return true;
  });
  route_everything(state, now);
  state.counters.add(ClientCounter::to_node, batch.packets.size());
}

bool ClientState::admit(Now, const crypto::PublicKey&, const packet::IpHeader&, Bytes) {
  counters.add(ClientCounter::inner_packets);
  return true;
}

}  // namespace fireline::tunnel
