#include "core/tunnel/client_packets.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "core/packet/ip_packet.h"
#include "core/packet/segmenter.h"
#include "core/tunnel/address_ranges.h"
#include "core/tunnel/client_flows.h"
#include "core/tunnel/client_state.h"
#include "core/tunnel/prohibited.h"

namespace fireline::tunnel {
namespace {

using Verdict = Route::Verdict;

// While packets come, gateways are looked at this often.
constexpr Duration kLookInterval = std::chrono::milliseconds(250);

// Which gateways answer.
void look_for_silence(ClientState& state, Now now);
// The counter of what is wrong with the packet by itself.
[[nodiscard]] std::optional<ClientCounter> fault_of(const packet::TunPacket& packet) noexcept;
[[nodiscard]] const Route& route_of(ClientState& state, ConstBytes destination) noexcept;
[[nodiscard]] Route find_route(ClientState& state, ConstBytes destination) noexcept;
[[nodiscard]] bool is_own_address(const ClientState& state, ConstBytes address) noexcept;
// False: the node is to answer that it is too big.
bool hold(ClientState& state, Now now, const packet::TunPacket& packet, ResourceEntry& resource);
[[nodiscard]] bool is_control(const packet::IpHeader& header) noexcept;
[[nodiscard]] bool may_send(ClientState& state, const crypto::PublicKey& peer, ConstBytes source) noexcept;
void note_prohibited(ClientState& state, Now now, const crypto::PublicKey& peer, const packet::IpPacket& packet);

[[nodiscard]] bool equal(ConstBytes a, ConstBytes b) noexcept {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

void filter_tun_batch(ClientState& state, Now now, packet::TunBatch& batch) {
  state.counters.add(ClientCounter::tun_packets, batch.packets.size());
  look_for_silence(state, now);
  const auto drop = [&](ClientCounter reason) {
    state.counters.add(reason);
    return true;
  };
  const auto consume = [&](const packet::TunPacket& packet) {
    if (!state.interface) return drop(ClientCounter::drop_tun_unconfigured);
    if (const auto fault = fault_of(packet)) return drop(*fault);
    const auto header = packet::IpHeader::parse(packet.bytes);
    if (!header) return drop(ClientCounter::drop_tun_bad_packet);
    const Route& route = route_of(state, header->destination());
    if (route.verdict == Verdict::drop && route.reason == ClientCounter::drop_tun_multicast) return drop(route.reason);
    // What came over the LAN must not go to a gateway: its answers would make us ask for flows without end.
    if (!is_own_address(state, header->source())) return drop(ClientCounter::drop_tun_foreign_source);
    if (route.verdict == Verdict::drop) return drop(route.reason);
    if (route.verdict == Verdict::hold) return hold(state, now, packet, *route.resource);
    if (route.resource != nullptr && want_flow(state, now, route.resource->resource.id, IntentReason::silent)) {
      state.counters.add(ClientCounter::intents_silent);
    }
    return false;
  };
  std::erase_if(batch.packets, consume);
  state.counters.add(ClientCounter::to_node, batch.packets.size());
}

bool ClientState::admit(Now now, const crypto::PublicKey& peer, const packet::IpHeader& header, Bytes packet) {
  counters.add(ClientCounter::inner_packets);
  const auto refuse = [&](ClientCounter reason) {
    counters.add(reason);
    return false;
  };
  if (is_control(header)) return refuse(ClientCounter::drop_inner_control);
  const auto parsed = packet::IpPacket::parse(packet);
  if (!parsed) return refuse(ClientCounter::drop_inner_bad_packet);
  if (parsed->is_fragment()) return refuse(ClientCounter::drop_inner_fragment);
  if (!parsed->transport_valid() || packet.size() > options.node.mtu) {
    return refuse(ClientCounter::drop_inner_bad_packet);
  }
  if (!may_send(*this, peer, header.source())) {
    const bool known = gateways.find_by_key(peer) != nullptr;
    return refuse(known ? ClientCounter::drop_inner_source : ClientCounter::drop_inner_no_gateway);
  }
  note_prohibited(*this, now, peer, *parsed);
  return true;
}

namespace {

// Its packets keep going there: it may be loss. Meanwhile the portal, which hears of a gateway's end at once, is asked
// for the resources that are used, and names the gateway that serves them by now.
void look_for_silence(ClientState& state, Now now) {
  if (now.boot < state.next_look) return;
  state.next_look = now.boot + kLookInterval;
  state.gateways.for_each([&](ConnectedGateway& gateway) {
    const bool silent = state.node.is_silent(gateway.connection);
    if (std::exchange(gateway.silent, silent) != silent) state.forget_lookups();
  });
}

// Of super-packets the node looks at the rest when it cuts them.
std::optional<ClientCounter> fault_of(const packet::TunPacket& packet) noexcept {
  if (packet.offload.segmentation != packet::Segmentation::none) return std::nullopt;
  const auto parsed = packet::IpPacket::parse(packet.bytes);
  if (!parsed) return ClientCounter::drop_tun_bad_packet;
  if (parsed->is_fragment()) return ClientCounter::drop_tun_fragment;
  if (!parsed->transport_valid()) return ClientCounter::drop_tun_bad_packet;
  return std::nullopt;
}

const Route& route_of(ClientState& state, ConstBytes destination) noexcept {
  RouteMemo& memo = state.route_memo;
  if (memo.bytes != destination.size() ||
      std::memcmp(memo.destination.data(), destination.data(), destination.size()) != 0) {
    std::ranges::copy(destination, memo.destination.begin());
    memo.bytes = destination.size();
    memo.route = find_route(state, destination);
  }
  return memo.route;
}

Route find_route(ClientState& state, ConstBytes destination) noexcept {
  const auto drop = [](ClientCounter reason) {
    return Route{.verdict = Verdict::drop, .reason = reason, .resource = nullptr};
  };
  if (is_multicast_address(destination)) return drop(ClientCounter::drop_tun_multicast);
  if (is_own_address(state, destination)) return drop(ClientCounter::drop_tun_to_self);
  if (is_sentinel_address(destination)) return drop(ClientCounter::drop_tun_stale_sentinel);
  if (is_tunnel_address(destination)) {
    if (state.gateways.find_by_address(destination) == nullptr) return drop(ClientCounter::drop_tun_no_gateway);
    return {.verdict = Verdict::to_node};
  }
  // Neither a network nor the Internet may claim what stands for a name.
  if (is_proxy_address(destination)) return drop(ClientCounter::drop_tun_unknown_proxy);
  ResourceEntry* resource = state.resources.match(destination);
  if (resource == nullptr) return drop(ClientCounter::drop_tun_no_resource);
  if (resource->gateway) {
    const ConnectedGateway* gateway = state.gateways.find(*resource->gateway);
    return {.verdict = Verdict::to_node, .resource = gateway != nullptr && gateway->silent ? resource : nullptr};
  }
  return {.verdict = Verdict::hold, .resource = resource};
}

bool is_own_address(const ClientState& state, ConstBytes address) noexcept {
#ifdef FIRELINE_PLANTED_BUG
  // A wrong bound on purpose: tools/fuzz shows that the fuzz target finds it.
  if (state.interface && address.size() == 4) return equal(address.first(3), state.interface->ipv4.bytes().first(3));
#endif
  return state.interface &&
         equal(address, address.size() == 4 ? state.interface->ipv4.bytes() : state.interface->ipv6.bytes());
}

bool hold(ClientState& state, Now now, const packet::TunPacket& packet, ResourceEntry& resource) {
  const auto segmenter = packet::Segmenter::make(packet);
  if (!segmenter) {
    state.counters.add(ClientCounter::drop_tun_bad_packet);
    return true;
  }
  if (segmenter->segment_length(0) > state.options.node.mtu) return false;
  want_flow(state, now, resource.resource.id, IntentReason::no_gateway);
  state.pending.hold(resource.resource.id, *segmenter);
  state.counters.add(ClientCounter::held);
  return true;
}

// The protocol between client and gateway: tunnel specification 4.1. The goodbye never comes here.
bool is_control(const packet::IpHeader& header) noexcept {
  constexpr std::uint8_t kControl = 0xFF;
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  return !header.is_v4() && load_u8(header.bytes(), 6) == kControl && std::ranges::all_of(header.source(), is_zero) &&
         std::ranges::all_of(header.destination(), is_zero);
}

bool may_send(ClientState& state, const crypto::PublicKey& peer, ConstBytes source) noexcept {
  SourceMemo& memo = state.source_memo;
  if (memo.bytes != source.size() || std::memcmp(memo.source.data(), source.data(), source.size()) != 0 ||
      std::memcmp(memo.peer.bytes.data(), peer.bytes.data(), peer.bytes.size()) != 0) {
    memo.peer = peer;
    std::ranges::copy(source, memo.source.begin());
    memo.bytes = source.size();
    const ConnectedGateway* gateway = state.gateways.find_by_key(peer);
    memo.allowed = gateway != nullptr && gateway->sources_table.find(source) != nullptr;
  }
  return memo.allowed;
}

void note_prohibited(ClientState& state, Now now, const crypto::PublicKey& peer, const packet::IpPacket& packet) {
  const auto destination = prohibited_destination(packet);
  if (!destination) return;
  state.counters.add(ClientCounter::inner_prohibited);
  if (!state.options.ask_when_prohibited || is_tunnel_address(destination->bytes()) ||
      is_proxy_address(destination->bytes()) || is_sentinel_address(destination->bytes())) {
    return;
  }
  const ResourceEntry* resource = state.resources.match(destination->bytes());
  const ConnectedGateway* gateway = state.gateways.find_by_key(peer);
  // A gateway speaks for what it was given, and for nothing else.
  if (resource == nullptr || gateway == nullptr || resource->gateway != gateway->id) return;
  if (want_flow(state, now, resource->resource.id, IntentReason::prohibited))
    state.counters.add(ClientCounter::intents_prohibited);
}

}  // namespace

}  // namespace fireline::tunnel
