#include "core/packet/ip_packet.h"

#include "core/packet/checksum.h"

namespace fireline::packet {
namespace {

// IANA protocol numbers of what stands before a transport header.
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kMobility = 135;
constexpr std::uint8_t kHostIdentity = 139;
constexpr std::uint8_t kShim6 = 140;

// RFC 791 section 3.1.
constexpr std::uint8_t kEndOfOptions = 0;
constexpr std::uint8_t kNoOperation = 1;
constexpr std::uint8_t kLooseSourceRoute = 131;
constexpr std::uint8_t kStrictSourceRoute = 137;

constexpr std::size_t kExtensionBytes = 8;  // the shortest; each begins with "next header" and a length

constexpr bool is_extension(std::uint8_t protocol, bool is_v4) noexcept {
  switch (protocol) {
    case kAuthentication:
      return true;
    case kHopByHop:
    case kRouting:
    case kFragment:
    case kDestinationOptions:
    case kMobility:
    case kHostIdentity:
    case kShim6:
      return !is_v4;
    default:
      return false;
  }
}

// Also when an option's length leads nowhere: what stands behind it is unknown.
bool has_source_route(ConstBytes options) noexcept {
  while (!options.empty()) {
    const std::uint8_t type = load_u8(options, 0);
    if (type == kEndOfOptions) return false;
    std::size_t option_bytes = 1;
    if (type != kNoOperation) {
      if (type == kLooseSourceRoute || type == kStrictSourceRoute || options.size() < 2) return true;
      option_bytes = load_u8(options, 1);
      if (option_bytes < 2 || option_bytes > options.size()) return true;
    }
    options = options.subspan(option_bytes);
  }
  return false;
}

}  // namespace

Result<IpPacket, PacketError> IpPacket::parse(ConstBytes bytes) noexcept {
  const auto header = IpHeader::parse(bytes);
  if (!header) return err(header.error());
  IpPacket packet(*header);
  const ConstBytes whole = packet.bytes();
  if (packet.is_v4()) {
    const std::uint16_t fragment = load_be16(whole, 6);
    packet.header_bytes_ = std::size_t{load_u8(whole, 0) & 0x0Fu} * 4;
    packet.protocol_ = load_u8(whole, 9);
    packet.fragment_ = (fragment & 0x3FFFu) != 0;  // MF and offset
    packet.later_fragment_ = (fragment & 0x1FFFu) != 0;
    const std::size_t options = packet.header_bytes_ - kIpv4HeaderBytes;
    packet.source_routed_ = options != 0 && has_source_route(whole.subspan(kIpv4HeaderBytes, options));
  } else {
    packet.header_bytes_ = kIpv6HeaderBytes;
    packet.protocol_ = load_u8(whole, 6);
  }
  if (!packet.skip_extensions()) return err(PacketError::bad_extension);
  packet.all_header_bytes_ = packet.header_bytes_;
  packet.read_transport();
  return packet;
}

bool IpPacket::skip_extensions() noexcept {
  const ConstBytes whole = bytes();
  for (std::size_t count = 0; is_extension(protocol_, is_v4()); ++count) {
    // What follows in a later fragment is data, not a header.
    if (later_fragment_) return true;
    if (count == kExtensionHeadersMax) return false;
    const std::size_t left = whole.size() - header_bytes_;
    if (left < kExtensionBytes) return false;
    const std::uint8_t next = load_u8(whole, header_bytes_);
    const std::size_t length = load_u8(whole, header_bytes_ + 1);
    std::size_t extension_bytes = kExtensionBytes + length * 8;
    if (protocol_ == kFragment) {
      const std::uint16_t fragment = load_be16(whole, header_bytes_ + 2);
      fragment_ |= (fragment & 0xFFF9u) != 0;  // offset and "more"
      later_fragment_ = (fragment & 0xFFF8u) != 0;
      extension_bytes = kExtensionBytes;
    } else if (protocol_ == kAuthentication) {
      extension_bytes = (length + 2) * 4;
    } else if (protocol_ == kRouting) {
      const std::uint8_t type = load_u8(whole, header_bytes_ + 2);
      const std::uint8_t segments_left = load_u8(whole, header_bytes_ + 3);
      source_routed_ |= type == 0 || segments_left != 0;
    }
#ifdef FIRELINE_PLANTED_BUG
    if (extension_bytes > left + kExtensionBytes) return false;
#else
    if (extension_bytes > left) return false;
#endif
    header_bytes_ += extension_bytes;
    protocol_ = next;
  }
  return true;
}

void IpPacket::read_transport() noexcept {
  const ConstBytes segment = transport();
  std::size_t transport_header_bytes = 0;
  switch (protocol_) {
    case kProtocolTcp:
      if (fragment_ || segment.size() < kTcpHeaderBytes) return;
      transport_header_bytes = std::size_t{load_u8(segment, 12)} / 16 * 4;
      if (transport_header_bytes < kTcpHeaderBytes || transport_header_bytes > segment.size()) return;
      break;
    case kProtocolUdp:
      if (fragment_ || segment.size() < kUdpHeaderBytes || load_be16(segment, 4) != segment.size()) return;
      transport_header_bytes = kUdpHeaderBytes;
      break;
    case kProtocolIcmp:
    case kProtocolIcmp6:
      transport_valid_ = !fragment_ && is_v4() == (protocol_ == kProtocolIcmp) && segment.size() >= kIcmpHeaderBytes;
      return;
    default:
      transport_valid_ = true;
      return;
  }
  transport_valid_ = true;
  all_header_bytes_ += transport_header_bytes;
  source_port_ = load_be16(segment, 0);
  destination_port_ = load_be16(segment, 2);
}

}  // namespace fireline::packet
