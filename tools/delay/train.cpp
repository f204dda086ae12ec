#include "tools/delay/train.h"

#include <algorithm>

#include "core/packet/vnet_header.h"

namespace fireline::lab {
namespace {
constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kHeaderBytes = packet::kVnetHeaderBytes + kEthernetBytes;
}  // namespace

std::optional<Train> Train::of(Frame& frame) {
  auto offload = packet::decode_vnet_header(frame);
  if (!offload || offload->segmentation == packet::Segmentation::none || frame.size() <= kHeaderBytes) return {};
  if (offload->needs_checksum) {
    // The kernel counts from the Ethernet header.
    if (offload->checksum_start < kEthernetBytes) return {};
    offload->checksum_start = static_cast<std::uint16_t>(offload->checksum_start - kEthernetBytes);
  }
  const auto segments = packet::Segmenter::make({.bytes = Bytes(frame).subspan(kHeaderBytes), .offload = *offload});
  if (!segments) return {};
  return Train(frame, *segments);
}

Frame Train::segment(std::size_t index) const {
  Frame cut(kHeaderBytes + segments_.segment_length(index));
  packet::encode_vnet_header(cut, {}, 0);
  std::ranges::copy(ConstBytes(*frame_).subspan(packet::kVnetHeaderBytes, kEthernetBytes),
                    cut.begin() + packet::kVnetHeaderBytes);
  segments_.write(index, cut.data() + kHeaderBytes);
  return cut;
}

}  // namespace fireline::lab
