// What a client counts besides its node (NodeCounter, DeviceCounter). A packet from the TUN, segmented or not, ends in
// exactly one line:
//
//   tun_packets = to_node + held + every drop_tun_*
//
// A packet that is held is cut into its segments; these end likewise, but for those that still wait:
//
//   pending_packets = pending_released + pending_repeated + pending_replaced + every drop_pending_*
//
// A decrypted packet that is refused here is one drop_inner_*; the device counts it once more, as refused. The names in
// 6.8 of the tunnel specification stand in brackets.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/counters.h"

namespace fireline::tunnel {

enum class ClientCounter : std::uint8_t {
  tun_packets,
  to_node,
  held,                   // for a resource without a gateway
  drop_tun_bad_packet,    // no IP packet, or its transport header is cut off or inconsistent
  drop_tun_fragment,      // nothing is reassembled on the way
  drop_tun_unconfigured,  // the portal has not given addresses yet
  drop_tun_multicast,
  drop_tun_foreign_source,  // not our tunnel address [NotTunnelSourceIp]
  drop_tun_to_self,         // [PacketToSelf]
  drop_tun_stale_sentinel,  // of a resolver that is not there
  drop_tun_unknown_proxy,   // a proxy address of no name
  drop_tun_no_gateway,      // a tunnel address that is no connected gateway's [NotAPeer]
  drop_tun_no_resource,     // [UnknownResource]
  pending_packets,
  pending_released,          // handed to the node
  pending_repeated,          // the same bytes wait already
  pending_replaced,          // a SYN whose repetition took its place
  drop_pending_overwritten,  // the ring of the resource was full [BufferFull]
  drop_pending_room,         // the oldest of all resources' [BufferFull]
  drop_pending_abandoned,    // the site is offline, or the resource is gone
  inner_packets,
  drop_inner_bad_packet,
  drop_inner_fragment,
  drop_inner_control,     // of the control protocol between peers, and none that is known
  drop_inner_no_gateway,  // the gateway was let go meanwhile [NoPeerState]
  drop_inner_source,      // neither the gateway's nor one of its resources' [NotAllowed]
  inner_prohibited,       // ICMP: the gateway knows no grant
  intents,                // CreateFlow
  intents_prohibited,     // of these, because of ICMP
  intents_silent,         // of these, because the gateway does not answer
  flows_created,
  flows_moved,
  flows_unknown_resource,
  flows_not_wanted,
  flows_no_relays,
  flows_no_room,
  flows_bad_answer,
  flows_refused,
  ignored_resources,  // beyond kResourcesMax
  lost_events,        // not fetched in time
  count_
};

[[nodiscard]] constexpr std::string_view name_of(ClientCounter counter) noexcept {
  constexpr std::array<std::string_view, static_cast<std::size_t>(ClientCounter::count_)> kNames{
      "client.tun.packets",
      "client.tun.to_node",
      "client.tun.held",
      "client.tun.drop.bad_packet",
      "client.tun.drop.fragment",
      "client.tun.drop.unconfigured",
      "client.tun.drop.multicast",
      "client.tun.drop.foreign_source",
      "client.tun.drop.to_self",
      "client.tun.drop.stale_sentinel",
      "client.tun.drop.unknown_proxy",
      "client.tun.drop.no_gateway",
      "client.tun.drop.no_resource",
      "client.pending.packets",
      "client.pending.released",
      "client.pending.repeated",
      "client.pending.replaced",
      "client.pending.drop.overwritten",
      "client.pending.drop.room",
      "client.pending.drop.abandoned",
      "client.inner.packets",
      "client.inner.drop.bad_packet",
      "client.inner.drop.fragment",
      "client.inner.drop.control",
      "client.inner.drop.no_gateway",
      "client.inner.drop.source",
      "client.inner.prohibited",
      "client.intents",
      "client.intents.prohibited",
      "client.intents.silent",
      "client.flows.created",
      "client.flows.moved",
      "client.flows.unknown_resource",
      "client.flows.not_wanted",
      "client.flows.no_relays",
      "client.flows.no_room",
      "client.flows.bad_answer",
      "client.flows.refused",
      "client.resources.ignored",
      "client.events.lost",
  };
  static_assert(!kNames.back().empty(), "a name for each counter");
  return kNames[static_cast<std::size_t>(counter)];
}

}  // namespace fireline::tunnel
