// ECN through the tunnel (RFC 6040, with the differences that Firezone has): encrypting, the outer bits copy the inner
// ones; decrypting, only an outer CE on an ECN-capable packet changes anything. A sender that does not speak ECN is
// never marked, a mark is never cleared, ECT(0) and ECT(1) are never swapped, DSCP is not touched.
//
// `packet` in both functions is an IP packet that passed IpHeader::parse. No state; any thread.
#pragma once
#include "core/base/wire.h"
#include "core/packet/batch.h"
#include "core/packet/checksum.h"

namespace fireline::packet {

// The inner bits, which an outgoing datagram copies.
[[nodiscard]] inline Ecn ecn_of(ConstBytes packet) noexcept {
  const unsigned first_word = load_be16(packet, 0);
  return static_cast<Ecn>((first_word >> 12 == 4 ? first_word : first_word >> 4) & 3u);
}

// Merges the outer bits of the datagram that carried `packet` into it, and keeps the IPv4 header checksum as right (or
// as wrong) as it was.
inline void merge_ecn(Bytes packet, Ecn outer) noexcept {
  if (outer != Ecn::ce) return;
  const Ecn inner = ecn_of(packet);
  if (inner == Ecn::not_ect || inner == Ecn::ce) return;
  const std::uint16_t before = load_be16(packet, 0);
  if (before >> 12 != 4) {
    store_be16(packet, 0, static_cast<std::uint16_t>(before | 0x0030u));
    return;
  }
  const auto after = static_cast<std::uint16_t>(before | 0x0003u);
  store_be16(packet, 0, after);
  store_be16(packet, 10, update_checksum(load_be16(packet, 10), before, after));
}

}  // namespace fireline::packet
