// The 10 bytes before each packet on a TUN device with IFF_VNET_HDR: struct virtio_net_hdr (VIRTIO 1.2 section 5.1.6,
// linux/virtio_net.h) in native byte order.
//
//   0 flags | 1 gso_type | 2 hdr_len | 4 gso_size | 6 csum_start | 8 csum_offset
//
// Foreign bytes only in that the kernel writes them: impossible values are an error, not a crash. No state; any thread.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/base/result.h"
#include "core/base/wire.h"
#include "core/packet/batch.h"

namespace fireline::packet {

inline constexpr std::size_t kVnetHeaderBytes = 10;

enum class VnetError : std::uint8_t {
  too_short,         // fewer than kVnetHeaderBytes
  bad_segmentation,  // unknown GSO type, the ECN bit without TCP, or segments of zero bytes
  bad_checksum,      // the checksum field lies outside of the packet
};

// `bytes` is the header and the packet behind it. hdr_len is not looked at: on the forward path the kernel puts the
// linear length of its buffer there. Without segmentation gso_size is ignored, without a checksum request its offsets.
[[nodiscard]] Result<Offload, VnetError> decode_vnet_header(ConstBytes bytes) noexcept;

// Writes kVnetHeaderBytes to the front of `out`, which must be that long. `header_bytes` as in TunWrite. A default
// Offload gives ten zeros: a plain packet.
void encode_vnet_header(Bytes out, const Offload& offload, std::uint16_t header_bytes) noexcept;

}  // namespace fireline::packet
