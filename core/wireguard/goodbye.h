// The packet by which a node tells its peer, through the tunnel, that it drops their connection: IPv6, source and
// destination ::, next header 255, hop limit 0, and 8 bytes of payload of which the first is the kind of event (2).
// Sent once and unreliably; not answered. Source: connectivity spec 2.7.
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

[[nodiscard]] inline bool is_goodbye(ConstBytes packet) noexcept {
  return packet.size() == kGoodbyeBytes && std::ranges::equal(packet, kGoodbye);
}

}  // namespace fireline::wireguard
