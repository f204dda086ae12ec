// Which peers a client may reach through the relay. Refused ones are answered 403: the relay stands inside of networks
// that its clients do not.
//   always:  loopback, unspecified (0.0.0.0/8), multicast, broadcast, link-local, and the relay's own addresses on any
//            port that is not an allocation port
//   private: RFC 1918, 100.64.0.0/10, fc00::/7 and the host's own prefixes, when `refuse_private` is set and no prefix
//            of `allow` holds the address
//   denied:  what a prefix of `deny` holds
// An IPv6 address that carries an IPv4 address is judged by both: mapped, compatible, translated, 6to4, NAT64 (RFC 6052
// well-known and RFC 8215 local-use), Teredo and ISATAP.
// Values only; no allocation in refuses(). Threads: any for reading.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/endpoint.h"

namespace fireline::relay {

struct PeerRules {
  bool refuse_private = false;          // --auth static
  std::vector<Prefix> allow{};          // lifts `refuse_private`, nothing else
  std::vector<Prefix> deny{};           // wins over `allow`
  std::vector<Prefix> host_prefixes{};  // of the host's interfaces; their IPv4 broadcast addresses are refused always
  std::vector<IpAddress> own_addresses{};  // public and interface addresses
  std::uint16_t lowest_port = 49152;       // allocation ports: the only ones of the own addresses that are peers
  std::uint16_t highest_port = 65535;

  // Port 0 stands for "any port", as a permission has it: an own address passes then.
  [[nodiscard]] bool refuses(const Endpoint& peer) const noexcept;
};

}  // namespace fireline::relay
