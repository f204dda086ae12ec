// What the server counts. Every datagram that enters handle_control, from_client or from_peer ends in exactly one line:
//
//   control_datagrams = sum of ResponseCounters + sent_indications + every drop_control_*
//   client_datagrams  = to_peer + every drop_client_*
//   peer_datagrams    = to_client + to_client_indication + every drop_peer_*
//
// Bytes are payload without channel headers.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/counters.h"

namespace fireline::relay {

enum class ServerCounter : std::uint8_t {
  // Control port, STUN.
  control_datagrams,
  sent_indications,                 // payloads of Send indications handed to send_peer
  drop_control_source_port_zero,    // cannot be answered
  drop_control_not_stun,            // first byte, length, cookie, or the length field does not fit the datagram
  drop_control_no_request,          // a response, or an indication that is not served
  drop_control_malformed,           // an indication that does not parse or lacks an attribute
  drop_control_username,            // a username that no password belongs to: an answer could not be signed
  drop_control_answer_rate_source,  // more unauthenticated answers to one source than allowed
  drop_control_answer_rate_total,   // more of them in total than allowed
  drop_control_answer_size,         // the answer would be too long for the request
  drop_control_no_allocation,       // Send indication from a client without allocation
  drop_control_no_permission,       // Send indication without permission for the peer
  drop_control_refused_peer,        // Send indication to a refused peer, or of a family without relayed address

  // Channel data.
  client_datagrams,
  client_bytes,  // forwarded to peers
  to_peer,
  drop_client_short,            // fewer than 4 bytes, or fewer than the length field says
  drop_client_bad_channel,      // outside of the channel numbers
  drop_client_unknown_channel,  // not bound by this client socket
  drop_client_cooling_down,     // bound, and expired less than 300 s ago
  drop_client_no_permission,    // --auth static: the permission has expired

  // Allocation ports.
  peer_datagrams,
  peer_bytes,  // forwarded to clients, over channels or in Data indications
  to_client,
  to_client_indication,
  drop_peer_unknown,        // no bound channel and no permission
  drop_peer_no_allocation,  // the port is not allocated
  drop_peer_no_permission,  // --auth static: a channel whose permission has expired
  drop_peer_too_big,        // does not fit a Data indication

  // Outside of the ledger.
  refused_peers,   // 403
  ports_unusable,  // open_port said that somebody has it
  offload_full,    // 508 because of the fast path
  allocations_created,
  allocations_expired,
  allocations_replaced,    // deleted because the same username came from elsewhere
  limit_allocations,       // 508: all of the relay's are in use
  limit_sockets,           // 508: no descriptor, memory or local address for another socket
  limit_user_allocations,  // 486: all of the user's are in use
  limit_channels,          // 508: all of the allocation's are in use
  limit_user_channels,     // 508: all of the user's
  limit_all_channels,      // 508: all of the relay's
  limit_permissions,       // 508
  channels_expired,
  channels_revived,
  permissions_expired,
  nonces_evicted,  // the least recently used one, to stay within the limit
  nonces_used_up,
  stale_nonces,  // 438
  count_
};

[[nodiscard]] constexpr std::string_view name_of(ServerCounter counter) noexcept {
  constexpr std::array<std::string_view, static_cast<std::size_t>(ServerCounter::count_)> kNames{
      "control.datagrams",
      "control.sent_indications",
      "drop.control.source_port_zero",
      "drop.control.not_stun",
      "drop.control.no_request",
      "drop.control.malformed",
      "drop.control.username",
      "drop.control.answer_rate_source",
      "drop.control.answer_rate_total",
      "drop.control.answer_size",
      "drop.control.no_allocation",
      "drop.control.no_permission",
      "drop.control.refused_peer",
      "client.datagrams",
      "client.bytes",
      "client.to_peer",
      "drop.client.short",
      "drop.client.bad_channel",
      "drop.client.unknown_channel",
      "drop.client.cooling_down",
      "drop.client.no_permission",
      "peer.datagrams",
      "peer.bytes",
      "peer.to_client",
      "peer.to_client_indication",
      "drop.peer.unknown",
      "drop.peer.no_allocation",
      "drop.peer.no_permission",
      "drop.peer.too_big",
      "peers.refused",
      "ports.unusable",
      "offload.full",
      "allocations.created",
      "allocations.expired",
      "allocations.replaced",
      "limit.allocations",
      "limit.sockets",
      "limit.user_allocations",
      "limit.channels",
      "limit.user_channels",
      "limit.all_channels",
      "limit.permissions",
      "channels.expired",
      "channels.revived",
      "permissions.expired",
      "nonces.evicted",
      "nonces.used_up",
      "nonces.stale",
  };
  static_assert(!kNames.back().empty(), "a name for each counter");
  return kNames[static_cast<std::size_t>(counter)];
}

// Answers by method and outcome, for `responses_total` of the metrics.
class ResponseCounters {
 public:
  enum class Method : std::uint8_t { binding, allocate, refresh, createpermission, channelbind, other, count_ };
  static constexpr std::array<std::uint16_t, 12> kCodes{0, 400, 401, 403, 437, 438, 440, 441, 443, 486, 500, 508};

  void add(std::uint16_t method_number, std::uint16_t code) noexcept;

  // visit(std::string_view method, std::uint16_t code, std::uint64_t value); code 0 is success. Zeros are left out.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t method = 0; method < counts_.size(); ++method) {
      for (std::size_t code = 0; code < kCodes.size(); ++code) {
        const std::uint64_t value = counts_[method][code].get();
        if (value != 0) visit(kNames[method], kCodes[code], value);
      }
    }
  }
  [[nodiscard]] std::uint64_t total() const noexcept;

 private:
  static constexpr std::size_t kMethods = static_cast<std::size_t>(Method::count_);
  static constexpr std::array<std::string_view, kMethods> kNames{"binding",          "allocate",    "refresh",
                                                                 "createpermission", "channelbind", "other"};
  std::array<std::array<Counter, kCodes.size()>, kMethods> counts_;
};

// Sizes at this moment, for status, metrics and the statistics line.
struct ServerGauges {
  std::size_t allocations = 0;
  std::size_t bound_channels = 0;  // without those that cool down
  std::size_t cooling_channels = 0;
  std::size_t permissions = 0;
  std::size_t nonces = 0;
  std::size_t answer_sources = 0;
  std::size_t unusable_ports = 0;
};

}  // namespace fireline::relay
