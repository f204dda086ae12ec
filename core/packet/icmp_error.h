// Builds the ICMP errors that a tunnel end answers with (RFC 792, RFC 1191, RFC 4443), and bounds their rate.
//
// No error answers an ICMP error, a fragment other than the first, a packet to or from a multicast or broadcast
// address, or one from the unspecified address (RFC 1122 section 3.2.2, RFC 4443 section 2.4(e)).
//
// No allocation; any thread (IcmpRateLimiter: one owner).
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/base/wire.h"
#include "core/packet/ip_packet.h"

namespace fireline::packet {

enum class IcmpReason : std::uint8_t {  //       ICMPv4 type/code        ICMPv6
  too_big,                              // does not fit the tunnel:       3/4 with next-hop MTU   2/0 with MTU
  no_route,                             // no peer for the destination:   3/1 host unreachable    1/0 no route
  prohibited,                           // a filter says no:              3/13                    1/1
  network,  // the far network is gone:       3/0                     1/3 address unreachable
};

enum class IcmpRefusal : std::uint8_t {
  bad_packet,    // no IP packet
  icmp_error,    // the offending packet is one itself (or an ICMP type that may be one)
  fragment,      // not the first
  bad_address,   // multicast, broadcast or unspecified where a host must stand
  small_buffer,  // `out` is shorter than kIcmpErrorBytes
  wrong_family,  // `source` is not of the offending packet's family
};

// The longest error: an ICMPv6 error fills the minimum MTU (RFC 4443 section 2.4(c)).
inline constexpr std::size_t kIcmpErrorBytes = 1280;
inline constexpr std::uint8_t kIcmpHopLimit = 20;

// Writes the error to the front of `out` and returns its length. Its source is `source` (the tunnel's own address, or
// the offending packet's destination), its destination the offending packet's source. `mtu` counts for too_big alone.
// Quoted are, IPv4: the header with options and 8 bytes; IPv6: as much as fits.
[[nodiscard]] Result<std::size_t, IcmpRefusal> build_icmp_error(IcmpReason reason, std::uint32_t mtu,
                                                                const IpAddress& source, ConstBytes offending,
                                                                Bytes out) noexcept;

// Destination unreachable, packet too big, time exceeded or parameter problem, with a complete header.
[[nodiscard]] bool is_icmp_error(const IpPacket& packet) noexcept;
// As well redirects, source quench, unassigned errors, and ICMP that is cut off before its type: what no error answers.
[[nodiscard]] bool may_be_icmp_error(const IpPacket& packet) noexcept;
// Echo request or reply, with a complete header.
[[nodiscard]] bool is_icmp_echo(const IpPacket& packet) noexcept;

// A token bucket: `burst` errors at once, `per_second` in the long run. Starts full.
class IcmpRateLimiter {
 public:
  // Both at least 1.
  constexpr IcmpRateLimiter(std::uint32_t per_second, std::uint32_t burst) noexcept
      : interval_(Duration(std::chrono::seconds(1)) / per_second), capacity_(interval_ * burst) {}

  // True: an error may be sent, and its token is gone.
  [[nodiscard]] bool allow(Instant now) noexcept;

 private:
  Duration interval_;  // one token, as time
  Duration capacity_;
  std::optional<Instant> empty_at_;  // when the bucket was, or would have been, empty; unset before first use
};

}  // namespace fireline::packet
