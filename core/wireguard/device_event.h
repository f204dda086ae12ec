// What happened on a Device, for logs and for the layers above; values only, without text.
#pragma once
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/crypto/keys.h"

namespace fireline::wireguard {

struct DeviceEvent {
  enum class Kind : std::uint8_t {
    peer_created,
    peer_removed,
    handshake_initiated,  // an initiation was sent, also each retry
    handshake_answered,   // a response was sent
    handshake_completed,  // the session may be used; as responder with its first packet
    handshake_given_up,   // no response within the attempt time
    keys_zeroed,          // 540 s without a new session
    endpoint_roamed,
    goodbye_received,  // Profile::goodbyes: the peer drops the connection
    data_moved,        // Device::watch_data
    under_load,        // begins; reported once until the load ends
  };
  Kind kind = Kind::peer_created;
  crypto::PublicKey peer;            // zero for under_load
  std::optional<Endpoint> endpoint;  // of the peer at that moment
};

}  // namespace fireline::wireguard
