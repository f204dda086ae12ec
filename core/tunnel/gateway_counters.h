// What a gateway counts besides its node (NodeCounter, DeviceCounter). A packet from the TUN, segmented or not, and a
// decrypted packet end in exactly one line each:
//
//   tun_packets = to_node + every drop_tun_*
//   inner_packets = to_tun + every drop_inner_*
//
// What is refused of the latter the device counts once more, as refused. The names in 6.8 of the tunnel specification
// stand in brackets. Rules: docs/gateway.md.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/counters.h"

namespace fireline::tunnel {

enum class GatewayCounter : std::uint8_t {
  // From the TUN, towards clients.
  tun_packets,
  to_node,
  drop_tun_bad_packet,  // no IP packet, or its transport header is cut off or inconsistent
  drop_tun_fragment,    // nothing is reassembled on the way
  drop_tun_source_route,
  drop_tun_not_client,  // the destination is no tunnel address [NotAPeer]
  drop_tun_no_client,   // nobody has this tunnel address here [NoPeerState]
  drop_tun_not_connected,
  drop_tun_between_clients,  // the source is another tunnel address [NotAllowed]
  drop_tun_protocol,         // neither TCP, UDP, echo nor an ICMP error
  drop_tun_not_granted,      // no grant covers the source, or no filter its port [NotAllowed]
  // Decrypted, from clients.
  inner_packets,
  to_tun,
  drop_inner_bad_packet,
  drop_inner_too_long,  // beyond the tunnel's MTU
  drop_inner_fragment,
  drop_inner_source_route,  // who checks the destination checks a host on the way
  drop_inner_control,       // of the control protocol between peers, and none that is known
  drop_inner_no_client,     // its grants are gone, its connection is about to be
  drop_inner_multicast,
  drop_inner_icmp_error,  // [OutboundIcmpError]
  // These are answered: prohibited.
  drop_inner_source,           // none of the client's tunnel addresses [NotAllowed]
  drop_inner_between_clients,  // to another tunnel address
  drop_inner_proxy,            // to a proxy address that no name is behind
  drop_inner_not_granted,      // no grant covers the destination [NotAllowed]
  drop_inner_filtered,         // a grant covers it, its filters do not permit it [NotAllowed]
  // Answered: network unreachable.
  drop_inner_not_internet,  // the Internet resource alone covers it, and must not reach it
  // Answers.
  answers,
  unanswered_limited,  // above a client's rate
  unanswered_rule,     // no ICMP error may answer it
  unanswered_room,     // too many in one turn
  // Grants.
  granted,
  granted_again,  // the client held it
  refused_no_interface,
  refused_no_relays,
  refused_kind_changed,
  refused_bad_request,
  refused_no_room,
  expired,
  rejected,
  not_listed,
  displaced,     // the grants of a client whose address or key another client has
  clients_gone,  // their last grant was
  count_
};

[[nodiscard]] constexpr std::string_view name_of(GatewayCounter counter) noexcept {
  constexpr std::array<std::string_view, static_cast<std::size_t>(GatewayCounter::count_)> kNames{
      "gateway.tun.packets",
      "gateway.tun.to_node",
      "gateway.tun.drop.bad_packet",
      "gateway.tun.drop.fragment",
      "gateway.tun.drop.source_route",
      "gateway.tun.drop.not_client",
      "gateway.tun.drop.no_client",
      "gateway.tun.drop.not_connected",
      "gateway.tun.drop.between_clients",
      "gateway.tun.drop.protocol",
      "gateway.tun.drop.not_granted",
      "gateway.inner.packets",
      "gateway.inner.to_tun",
      "gateway.inner.drop.bad_packet",
      "gateway.inner.drop.too_long",
      "gateway.inner.drop.fragment",
      "gateway.inner.drop.source_route",
      "gateway.inner.drop.control",
      "gateway.inner.drop.no_client",
      "gateway.inner.drop.multicast",
      "gateway.inner.drop.icmp_error",
      "gateway.inner.drop.source",
      "gateway.inner.drop.between_clients",
      "gateway.inner.drop.proxy",
      "gateway.inner.drop.not_granted",
      "gateway.inner.drop.filtered",
      "gateway.inner.drop.not_internet",
      "gateway.answers",
      "gateway.unanswered.limited",
      "gateway.unanswered.rule",
      "gateway.unanswered.room",
      "gateway.grants.granted",
      "gateway.grants.granted_again",
      "gateway.grants.refused.no_interface",
      "gateway.grants.refused.no_relays",
      "gateway.grants.refused.kind_changed",
      "gateway.grants.refused.bad_request",
      "gateway.grants.refused.no_room",
      "gateway.grants.expired",
      "gateway.grants.rejected",
      "gateway.grants.not_listed",
      "gateway.grants.displaced",
      "gateway.clients.gone",
  };
  static_assert(!kNames.back().empty(), "a name for each counter");
  return kNames[static_cast<std::size_t>(counter)];
}

}  // namespace fireline::tunnel
