#include "relay/gather_train.h"

namespace fireline::relay {
namespace {

iovec piece_of(ConstBytes bytes) noexcept {
  // sendmsg only reads, but shares its structure with recvmsg.
  return {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace

bool GatherTrain::append(const Route& route, ConstBytes payload) noexcept {
  const bool framed = route.channel != 0;
  const std::size_t wire_bytes = payload.size() + (framed ? kChannelHeaderBytes : 0);
  if (count_ == 0) {
    route_ = route;
    segment_bytes_ = wire_bytes;
  } else if (!joins(route, wire_bytes)) {
    return false;
  }
  const std::size_t first = count_ * (framed ? 2 : 1);
  if (framed) {
    // The first datagram's header serves all of its length.
    Header& header = count_ == 0 ? header_ : last_header_;
    const bool shared = count_ != 0 && wire_bytes == segment_bytes_;
    if (!shared) {
      store_be16(header, 0, route.channel);
      store_be16(header, 2, static_cast<std::uint16_t>(payload.size()));
    }
    pieces_[first] = piece_of(shared ? header_ : header);
    pieces_[first + 1] = piece_of(payload);
  } else {
    pieces_[first] = piece_of(payload);
  }
  last_bytes_ = wire_bytes;
  ++count_;
  return true;
}

bool GatherTrain::joins(const Route& route, std::size_t wire_bytes) const noexcept {
  if (count_ == packet::kTrainSegments || last_bytes_ < segment_bytes_ || wire_bytes > segment_bytes_) return false;
  // A datagram without bytes is no segment.
  if (wire_bytes == 0) return false;
  const std::size_t bytes_max = route_.to.address.is_v4() ? packet::kTrainBytesV4 : packet::kTrainBytesV6;
  return count_ * segment_bytes_ + wire_bytes <= bytes_max && route == route_;
}

TrainView GatherTrain::view() const noexcept {
  const std::size_t pieces_per_segment = route_.channel != 0 ? 2 : 1;
  return {.to = route_.to,
          .ecn = route_.ecn,
          .segment_bytes = segment_bytes_,
          .last_bytes = last_bytes_,
          .count = count_,
          .pieces = std::span(pieces_).first(count_ * pieces_per_segment),
          .pieces_per_segment = pieces_per_segment};
}

}  // namespace fireline::relay
