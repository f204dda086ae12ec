// The address ranges that a portal and its clients and gateways agree upon without saying so.
// Source: tunnel specification 1.1. Threads: any. No allocation.
#pragma once
#include <string_view>

#include "core/base/wire.h"

namespace fireline::tunnel {

// Tunnel addresses of clients and gateways, given out by the portal.
inline constexpr std::string_view kTunnelRangeV4 = "100.64.0.0/11";
inline constexpr std::string_view kTunnelRangeV6 = "fd00:2021:1111::/107";
// What a client's resolver answers for the names of DNS resources.
inline constexpr std::string_view kProxyRangeV4 = "100.96.0.0/11";
inline constexpr std::string_view kProxyRangeV6 = "fd00:2021:1111:8000::/107";
// Where a client's resolver listens. The first one lies inside of the proxy range, the other one does not.
inline constexpr std::string_view kSentinelRangeV4 = "100.100.111.0/24";
inline constexpr std::string_view kSentinelRangeV6 = "fd00:2021:1111:8000:100:100:111:0/120";

// All below take 4 or 16 bytes in network order.

[[nodiscard]] inline bool is_tunnel_address(ConstBytes address) noexcept {
  if (address.size() == 4) return (load_be32(address, 0) & 0xFFE00000u) == 0x64400000u;
  return load_be64(address, 0) == 0xFD00202111110000u && load_be64(address, 8) >> 21 == 0;
}

[[nodiscard]] inline bool is_proxy_address(ConstBytes address) noexcept {
  if (address.size() == 4) return (load_be32(address, 0) & 0xFFE00000u) == 0x64600000u;
  return load_be64(address, 0) == 0xFD00202111118000u && load_be64(address, 8) >> 21 == 0;
}

[[nodiscard]] inline bool is_sentinel_address(ConstBytes address) noexcept {
  if (address.size() == 4) return load_be32(address, 0) >> 8 == 0x64646Fu;
  return load_be64(address, 0) == 0xFD00202111118000u && load_be64(address, 8) >> 8 == 0x01000100011100u;
}

[[nodiscard]] inline bool is_multicast_address(ConstBytes address) noexcept {
  return address.size() == 4 ? load_u8(address, 0) >> 4 == 0xE : load_u8(address, 0) == 0xFF;
}

}  // namespace fireline::tunnel
