// Which UDP datagram of ours an ICMP error is about (RFC 792, RFC 4443 section 3.1). An error is a hint from anybody on
// the path, or forged: it may make us look, and must end nothing by itself.
// Borrows nothing; no allocation; any thread.
#pragma once
#include <optional>

#include "core/base/endpoint.h"
#include "core/base/wire.h"

namespace fireline::packet {

struct UnreachableDatagram {
  Endpoint source;       // ours, as it left this host
  Endpoint destination;  // where it was to go
};

// Of "destination unreachable" with a UDP datagram quoted, whatever the code says but "fragmentation needed", which is
// about size. `message` begins with the ICMP header. Empty: another message, or the quote is too short for the ports.
// IPv6 quotes with extension headers are not followed: we send none.
[[nodiscard]] std::optional<UnreachableDatagram> parse_unreachable(Family family, ConstBytes message) noexcept;

}  // namespace fireline::packet
