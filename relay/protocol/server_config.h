// What an operator decides about the relay's protocol. Values only; the program validates before it builds a Server.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/endpoint.h"
#include "relay/protocol/credentials.h"
#include "relay/protocol/limits.h"
#include "relay/protocol/peer_rules.h"

namespace fireline::relay {

struct ServerConfig {
  // Addresses that answers name; at least one. Sockets are the host's business.
  std::optional<IpAddress> public_ip4;
  std::optional<IpAddress> public_ip6;
  std::uint16_t listen_port = 3478;
  std::uint16_t lowest_port = 49152;   // allocation ports, both ends inclusive; lowest <= highest, and the listen
  std::uint16_t highest_port = 65535;  // port outside of them
  std::string software = "fireline-relay; rev=xxxx";  // fewer than 128 characters; empty: no SOFTWARE
  // FirezoneCredentials: channels only, one allocation per username. StaticCredentials: RFC 8656 with permissions,
  // Send and Data indications, channel numbers up to 0x7FFF as RFC 5766 has them.
  Credentials credentials;
  PeerRules peers;
  Limits limits;
};

}  // namespace fireline::relay
