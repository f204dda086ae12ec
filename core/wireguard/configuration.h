// What is set on a device and what it reports: the data of WireGuard's cross-platform configuration protocol
// (https://www.wireguard.com/xplatform/), free of its text form. Values only; safe to move between threads.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/crypto/keys.h"

namespace fireline::wireguard {

// One allowed-IPs entry of an update; `remove` takes the prefix away if this peer holds it.
struct AllowedIpUpdate {
  Prefix prefix;
  bool remove = false;
};

// Absent fields stay as they are. Applied in the order of the members.
struct PeerUpdate {
  crypto::PublicKey public_key;
  bool remove = false;
  bool update_only = false;                  // no new peer: ignore the whole update when the key is unknown
  std::optional<crypto::Key> preshared_key;  // all zeros: none
  std::optional<Endpoint> endpoint;
  std::optional<std::uint16_t> persistent_keepalive_seconds;  // 0: off
  bool replace_allowed_ips = false;
  std::vector<AllowedIpUpdate> allowed_ips;
};

struct DeviceUpdate {
  std::optional<crypto::Key> private_key;    // all zeros: none
  std::optional<std::uint16_t> listen_port;  // 0: any; applied by the sockets, not by the engine
  std::optional<std::uint32_t> fwmark;       // 0: off; applied by the sockets, not by the engine
  bool replace_peers = false;
  std::vector<PeerUpdate> peers;
};

struct PeerStatus {
  crypto::PublicKey public_key;
  crypto::Key preshared_key;
  std::optional<Endpoint> endpoint;
  std::optional<UnixTime> last_handshake;
  std::uint64_t received_bytes = 0;  // UDP payload of authenticated messages, as the kernel counts
  std::uint64_t sent_bytes = 0;
  std::uint16_t persistent_keepalive_seconds = 0;
  std::vector<Prefix> allowed_ips;
};

struct DeviceStatus {
  std::optional<crypto::Key> private_key;
  std::optional<crypto::PublicKey> public_key;
  std::vector<PeerStatus> peers;
};

}  // namespace fireline::wireguard
