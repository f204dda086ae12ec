// What travels in one frame of a wire: the segments of a GSO train, each of which a wire loses or delays by itself.
// Frames are as PacketLink gives them: virtio-net header, Ethernet header, packet. Limits: packet::kSegmentsMax.
//
// Lifetime: borrows the frame until the last segment(). Threads: any.
#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "core/packet/segmenter.h"

namespace fireline::lab {

using Frame = std::vector<std::byte>;

class Train {
 public:
  // Empty: the frame is no train, or none that can be cut; it travels as one.
  [[nodiscard]] static std::optional<Train> of(Frame& frame);

  [[nodiscard]] std::size_t count() const noexcept { return segments_.segment_count(); }
  // A frame of its own with finished checksums. index < count().
  [[nodiscard]] Frame segment(std::size_t index) const;

 private:
  Train(const Frame& frame, const packet::Segmenter& segments) noexcept : frame_(&frame), segments_(segments) {}

  const Frame* frame_;
  packet::Segmenter segments_;
};

}  // namespace fireline::lab
