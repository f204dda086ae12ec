// What a Device counts. Every packet and datagram that enters ends in exactly one line of the ledger:
//
//   tun_segments  = sealed + DeviceGauges::queued_packets + every drop_tun_*
//   udp_datagrams = opened + keepalives + initiations + responses + cookie_replies + goodbyes
//                   + DeviceGauges::queued_handshakes + every drop_udp_*
//
// The equations hold whenever no Work is between plan and commit. A super-packet counts as its segments; one that
// cannot be cut counts once. The other counters stand outside of the ledger.
// Source of the rules: WireGuard paper sections 5 and 6.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/counters.h"

namespace fireline::wireguard {

enum class DeviceCounter : std::uint8_t {
  // From the TUN.
  tun_segments,
  sealed,                     // handed out inside a train
  drop_tun_down,              // the device is down
  drop_tun_bad_packet,        // not an IP packet, or its length is wrong
  drop_tun_bad_segmentation,  // a super-packet that contradicts itself
  drop_tun_too_big,           // longer than the MTU
  drop_tun_no_peer,           // no allowed-IPs entry for the destination
  drop_tun_no_endpoint,       // the peer has no path, and packets do not wait for one
  drop_tun_no_buffer,         // the pool of outgoing buffers is empty
  drop_tun_queue_full,        // the peer's queue without a session or path
  drop_tun_queue_bytes,       // all queues together
  drop_tun_queue_cleared,     // queued, then: attempts given up, peer removed or failed, device down
  drop_tun_session_gone,      // sealed, then: peer removed, key changed or device down before the commit

  // From the sockets.
  udp_datagrams,
  opened,          // handed to the TUN
  keepalives,      // authentic and empty
  initiations,     // answered
  responses,       // accepted
  cookie_replies,  // accepted
  goodbyes,        // reported
  drop_udp_down,
  drop_udp_not_wireguard,   // type, reserved bytes or length
  drop_udp_no_private_key,  // a handshake message while no private key is set
  drop_udp_bad_mac1,
  drop_udp_handshake_queue_full,
  drop_udp_handshake_queue_cleared,  // waited while the device went down or the private key changed
  drop_udp_cookie_sent,              // under load and without mac2: answered with a cookie reply
  drop_udp_rate_limited,             // under load, mac2 valid, too many of this source
  drop_udp_bad_initiation,           // not authentic, or an invalid public key
  drop_udp_unknown_peer,             // an initiation from a key that is not configured
  drop_udp_old_timestamp,            // a replayed initiation
  drop_udp_initiation_flood,         // faster than 50 a second from one peer
  drop_udp_bad_response,             // not authentic, or to no initiation of ours
  drop_udp_bad_cookie_reply,         // not authentic, or to no message of ours
  drop_udp_unknown_session,          // transport data with an index that is not in use
  drop_udp_expired_session,          // older than 180 s or at the end of its counters
  drop_udp_replayed,                 // counter seen before or behind the window
  drop_udp_not_authentic,            // the tag is wrong
  drop_udp_session_gone,             // planned, then: peer removed, key changed or session replaced before the commit
  drop_udp_bad_packet,               // authentic, but not an IP packet
  drop_udp_disallowed_source,        // authentic, but its source address is not the peer's
  drop_udp_refused,                  // authentic, but refused by the layer above, which counts why

  // Of our own making.
  sent_keepalives,
  sent_initiations,
  sent_responses,
  sent_cookie_replies,
  sent_icmp_errors,
  sent_packets,          // given by Device::send_packet
  unsent_no_buffer,      // a message or ICMP error of ours for which there was no buffer
  unsent_no_path,        // a message of ours: a newer one waits for the path, or a relayed sender has no way back
  unsent_no_session,     // given by Device::send_packet: no path, no session, or too long
  unsent_icmp_limited,   // ICMP errors above the rate, or that no error may answer
  handshakes_completed,  // either role; the responder's with the first packet on the session
  handshakes_given_up,
  under_load_messages,  // handshake messages that met a loaded device
  roamed,               // endpoint changes by authentic packets
  lost_events,          // not fetched in time
  count_
};

[[nodiscard]] constexpr std::string_view name_of(DeviceCounter counter) noexcept {
  constexpr std::array<std::string_view, static_cast<std::size_t>(DeviceCounter::count_)> kNames{
      "tun.segments",
      "tun.sealed",
      "drop.tun.down",
      "drop.tun.bad_packet",
      "drop.tun.bad_segmentation",
      "drop.tun.too_big",
      "drop.tun.no_peer",
      "drop.tun.no_endpoint",
      "drop.tun.no_buffer",
      "drop.tun.queue_full",
      "drop.tun.queue_bytes",
      "drop.tun.queue_cleared",
      "drop.tun.session_gone",
      "udp.datagrams",
      "udp.opened",
      "udp.keepalives",
      "udp.initiations",
      "udp.responses",
      "udp.cookie_replies",
      "udp.goodbyes",
      "drop.udp.down",
      "drop.udp.not_wireguard",
      "drop.udp.no_private_key",
      "drop.udp.bad_mac1",
      "drop.udp.handshake_queue_full",
      "drop.udp.handshake_queue_cleared",
      "drop.udp.cookie_sent",
      "drop.udp.rate_limited",
      "drop.udp.bad_initiation",
      "drop.udp.unknown_peer",
      "drop.udp.old_timestamp",
      "drop.udp.initiation_flood",
      "drop.udp.bad_response",
      "drop.udp.bad_cookie_reply",
      "drop.udp.unknown_session",
      "drop.udp.expired_session",
      "drop.udp.replayed",
      "drop.udp.not_authentic",
      "drop.udp.session_gone",
      "drop.udp.bad_packet",
      "drop.udp.disallowed_source",
      "drop.udp.refused",
      "sent.keepalives",
      "sent.initiations",
      "sent.responses",
      "sent.cookie_replies",
      "sent.icmp_errors",
      "sent.packets",
      "unsent.no_buffer",
      "unsent.no_path",
      "unsent.no_session",
      "unsent.icmp_limited",
      "handshakes.completed",
      "handshakes.given_up",
      "handshakes.under_load",
      "peers.roamed",
      "events.lost",
  };
  static_assert(!kNames.back().empty(), "a name for each counter");
  return kNames[static_cast<std::size_t>(counter)];
}

// Sizes at this moment, for status, metrics and the ledger.
struct DeviceGauges {
  std::size_t peers = 0;
  std::size_t queued_packets = 0;      // of all peers, waiting for a session or path
  std::size_t queued_bytes = 0;        // their buffers
  std::size_t queued_handshakes = 0;   // received, waiting for step_handshake
  std::size_t wanted_initiations = 0;  // to be sent by step_handshake or handle_timeout
};

}  // namespace fireline::wireguard
