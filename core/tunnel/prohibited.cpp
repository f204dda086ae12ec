#include "core/tunnel/prohibited.h"

namespace fireline::tunnel {
namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint16_t kProhibitedV4 = 0x030D;  // type, code
constexpr std::uint16_t kProhibitedV6 = 0x0101;

}  // namespace

std::optional<IpAddress> prohibited_destination(const packet::IpPacket& packet) noexcept {
  if (packet.protocol() != (packet.is_v4() ? kIcmp : kIcmp6) || !packet.transport_valid()) return std::nullopt;
  const ConstBytes message = packet.transport();
  if (load_be16(message, 0) != (packet.is_v4() ? kProhibitedV4 : kProhibitedV6)) return std::nullopt;
  const ConstBytes quoted = message.subspan(packet::kIcmpHeaderBytes);
  if (quoted.size() < (packet.is_v4() ? packet::kIpv4HeaderBytes : packet::kIpv6HeaderBytes)) return std::nullopt;
  if (load_u8(quoted, 0) >> 4 != (packet.is_v4() ? 4 : 6)) return std::nullopt;
  return IpAddress::from_bytes(packet.is_v4() ? quoted.subspan(16, 4) : quoted.subspan(24, 16));
}

}  // namespace fireline::tunnel
