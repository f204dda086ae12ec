// The packet by which a node tells its peer, through the tunnel, that it drops their connection: IPv6, source and
// destination ::, next header 255, hop limit 0, and 8 bytes of payload of which the first is the kind of event (2).
// Sent once and unreliably; not answered. On receipt the addresses, the next header and the kind alone count: other
// versions may fill the rest. Source: connectivity spec 2.7, tunnel spec 4.1.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "core/base/wire.h"

namespace fireline::wireguard {

inline constexpr std::size_t kGoodbyeBytes = 48;
inline constexpr std::array<std::byte, kGoodbyeBytes> kGoodbye = [] {
  std::array<std::byte, kGoodbyeBytes> packet{};
  packet[0] = std::byte{0x60};
  packet[5] = std::byte{8};     // payload length
  packet[6] = std::byte{0xFF};  // next header: reserved, so that nothing else looks like it
  packet[40] = std::byte{2};
  return packet;
}();

// `packet`: an IP packet cut to the length that its header says.
[[nodiscard]] inline bool is_goodbye(ConstBytes packet) noexcept {
  const auto is_as_sent = [&](std::size_t from, std::size_t bytes) {
    return std::ranges::equal(packet.subspan(from, bytes), ConstBytes(kGoodbye).subspan(from, bytes));
  };
  constexpr std::size_t kNextHeader = 6, kSource = 8, kKind = 40;
  return packet.size() >= kGoodbyeBytes && load_u8(packet, 0) >> 4 == 6 && is_as_sent(kNextHeader, 1) &&
         is_as_sent(kSource, 32) && is_as_sent(kKind, 1);
}

}  // namespace fireline::wireguard
