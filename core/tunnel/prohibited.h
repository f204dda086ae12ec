// Which destination a gateway refused by ICMP "administratively prohibited" (RFC 1812 section 5.2.7.1: 3/13; RFC 4443
// section 3.1: 1/1). IPv4's codes 9 and 10 do not count. Source: tunnel specification 2.6.
// Borrows nothing; no allocation; any thread.
#pragma once
#include <optional>

#include "core/base/endpoint.h"
#include "core/packet/ip_packet.h"

namespace fireline::tunnel {

// The destination of the packet that is quoted, which may be cut off behind its addresses. Empty: another packet.
[[nodiscard]] std::optional<IpAddress> prohibited_destination(const packet::IpPacket& packet) noexcept;

}  // namespace fireline::tunnel
