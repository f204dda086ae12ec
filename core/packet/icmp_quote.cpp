#include "core/packet/icmp_quote.h"

#include "core/packet/ip_packet.h"

namespace fireline::packet {
namespace {

constexpr std::size_t kPortsBytes = 4;
constexpr std::uint8_t kUdp = 17;

constexpr std::uint8_t kUnreachable4 = 3;
constexpr std::uint8_t kFragmentationNeeded = 4;
constexpr std::size_t kHeaderBytesMin4 = 20;
constexpr std::uint16_t kFragmentOffset = 0x1FFF;

constexpr std::uint8_t kUnreachable6 = 1;
constexpr std::size_t kHeaderBytes6 = 40;

UnreachableDatagram ends(ConstBytes quote, std::size_t addresses, std::size_t address_bytes, std::size_t ports) {
  return {.source = {IpAddress::from_bytes(quote.subspan(addresses, address_bytes)), load_be16(quote, ports)},
          .destination = {IpAddress::from_bytes(quote.subspan(addresses + address_bytes, address_bytes)),
                          load_be16(quote, ports + 2)}};
}

std::optional<UnreachableDatagram> parse_v4(ConstBytes message) noexcept {
  if (load_u8(message, 0) != kUnreachable4 || load_u8(message, 1) == kFragmentationNeeded) return std::nullopt;
  const ConstBytes quote = message.subspan(kIcmpHeaderBytes);
  if (quote.size() < kHeaderBytesMin4 || load_u8(quote, 0) >> 4 != 4) return std::nullopt;
  const std::size_t header_bytes = std::size_t{load_u8(quote, 0)} % 16 * 4;
  if (header_bytes < kHeaderBytesMin4 || quote.size() < header_bytes) return std::nullopt;
#ifndef FIRELINE_PLANTED_BUG
  if (quote.size() - header_bytes < kPortsBytes) return std::nullopt;
#endif
  if (load_u8(quote, 9) != kUdp || (load_be16(quote, 6) & kFragmentOffset) != 0) return std::nullopt;
  return ends(quote, 12, 4, header_bytes);
}

std::optional<UnreachableDatagram> parse_v6(ConstBytes message) noexcept {
  if (load_u8(message, 0) != kUnreachable6) return std::nullopt;
  const ConstBytes quote = message.subspan(kIcmpHeaderBytes);
  if (quote.size() < kHeaderBytes6 + kPortsBytes || load_u8(quote, 0) >> 4 != 6) return std::nullopt;
  if (load_u8(quote, 6) != kUdp) return std::nullopt;
  return ends(quote, 8, 16, kHeaderBytes6);
}

}  // namespace

std::optional<UnreachableDatagram> parse_unreachable(Family family, ConstBytes message) noexcept {
  if (message.size() < kIcmpHeaderBytes) return std::nullopt;
  return family == Family::v4 ? parse_v4(message) : parse_v6(message);
}

}  // namespace fireline::packet
