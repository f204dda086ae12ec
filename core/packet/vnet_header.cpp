#include "core/packet/vnet_header.h"

#include <cstring>

namespace fireline::packet {
namespace {

// linux/virtio_net.h; not included, because core builds without the kernel's headers.
constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kGsoNone = 0;
constexpr std::uint8_t kGsoTcp4 = 1;
constexpr std::uint8_t kGsoTcp6 = 4;
constexpr std::uint8_t kGsoUdpL4 = 5;
constexpr std::uint8_t kGsoEcn = 0x80;

std::uint16_t load_native16(ConstBytes bytes, std::size_t offset) noexcept {
  return wire_detail::load<std::uint16_t>(bytes, offset);
}

std::uint8_t gso_type_of(const Offload& offload) noexcept {
  const auto ecn = offload.tcp_ecn ? kGsoEcn : std::uint8_t{0};
  switch (offload.segmentation) {
    case Segmentation::none:
      return kGsoNone;
    case Segmentation::tcp4:
      return kGsoTcp4 | ecn;
    case Segmentation::tcp6:
      return kGsoTcp6 | ecn;
    case Segmentation::udp:
      return kGsoUdpL4;
  }
  return kGsoNone;
}

}  // namespace

Result<Offload, VnetError> decode_vnet_header(ConstBytes bytes) noexcept {
  if (bytes.size() < kVnetHeaderBytes) return err(VnetError::too_short);
  Offload offload;

  const std::uint8_t gso_type = load_u8(bytes, 1);
  switch (gso_type & ~unsigned{kGsoEcn}) {
    case kGsoNone:
      break;
    case kGsoTcp4:
      offload.segmentation = Segmentation::tcp4;
      break;
    case kGsoTcp6:
      offload.segmentation = Segmentation::tcp6;
      break;
    case kGsoUdpL4:
      offload.segmentation = Segmentation::udp;
      break;
    default:
      return err(VnetError::bad_segmentation);
  }
  if ((gso_type & kGsoEcn) != 0) {
    if (offload.segmentation == Segmentation::none || offload.segmentation == Segmentation::udp) {
      return err(VnetError::bad_segmentation);
    }
    offload.tcp_ecn = true;
  }
  if (offload.segmentation != Segmentation::none) {
    offload.segment_bytes = load_native16(bytes, 4);
    if (offload.segment_bytes == 0) return err(VnetError::bad_segmentation);
  }

  if ((load_u8(bytes, 0) & kNeedsChecksum) != 0) {
    offload.needs_checksum = true;
    offload.checksum_start = load_native16(bytes, 6);
    offload.checksum_offset = load_native16(bytes, 8);
    const std::size_t field_end = std::size_t{offload.checksum_start} + offload.checksum_offset + 2;
    if (field_end > bytes.size() - kVnetHeaderBytes) return err(VnetError::bad_checksum);
  }
  return offload;
}

void encode_vnet_header(Bytes out, const Offload& offload, std::uint16_t header_bytes) noexcept {
  store_u8(out, 0, offload.needs_checksum ? kNeedsChecksum : std::uint8_t{0});
  store_u8(out, 1, gso_type_of(offload));
  wire_detail::store(out, 2, header_bytes);
  wire_detail::store(out, 4, offload.segment_bytes);
  wire_detail::store(out, 6, offload.checksum_start);
  wire_detail::store(out, 8, offload.checksum_offset);
}

}  // namespace fireline::packet
