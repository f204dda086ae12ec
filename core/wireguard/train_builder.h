// Lays outgoing datagrams out: one behind the other in large buffers, so that consecutive datagrams of equal length to
// one peer are a train (one GSO send), and trains of many peers share a buffer. A turn that is small enough gets a
// small buffer instead. On a relayed path each datagram begins with its channel header, which counts as one of the
// train's equal segments.
//
// Use: begin() a work, then place() each datagram in order. Lifetime: the sources must outlive it. Threads: one owner.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/packet/buffer.h"
#include "core/wireguard/device_work.h"
#include "core/wireguard/peer.h"

namespace fireline::wireguard {

class TrainBuilder {
 public:
  TrainBuilder(packet::BufferSource& large, packet::BufferSource& small) noexcept : large_(large), small_(small) {}

  // `expected_bytes`: what will be placed at most.
  void begin(DeviceWork& work, std::size_t expected_bytes) noexcept {
    work_ = &work;
    expected_ = expected_bytes;
    open_ = false;
  }

  // Room for a message on the peer's path, which must be known, behind room for its channel header if there is one.
  // Null when there is no buffer. A path does not change between the calls of one work.
  [[nodiscard]] std::byte* place(Peer& peer, Session& session, packet::Ecn ecn, std::size_t message_bytes) {
    const std::size_t bytes = message_bytes + header_bytes_;
    if (open_ && &session == train().session && ecn == train().train.ecn && bytes <= arena_->room &&
        bytes <= train().train.segment_bytes && train().datagrams < packet::kTrainSegments &&
        train().train.bytes.size() + bytes <= packet::kTrainBytesV6) {
      PlannedTrain& planned = train();
      planned.train.bytes = {planned.train.bytes.data(), planned.train.bytes.size() + bytes};
      ++planned.datagrams;
      open_ = bytes == planned.train.segment_bytes;  // a shorter one is the last of a GSO send
      return take(bytes) + header_bytes_;
    }
    return start_train(peer, session, ecn, message_bytes);
  }

 private:
  [[nodiscard]] PlannedTrain& train() noexcept { return work_->trains.back(); }
  [[nodiscard]] std::byte* take(std::size_t bytes) noexcept {
    std::byte* place = arena_->next;
    arena_->next += bytes;
    arena_->room -= bytes;
    expected_ -= bytes < expected_ ? bytes : expected_;
    return place;
  }
  [[nodiscard]] std::byte* start_train(Peer& peer, Session& session, packet::Ecn ecn, std::size_t message_bytes);
  // What is left of the buffer is not worth a train, and more is to come than fits.
  [[nodiscard]] bool is_remainder() const noexcept;
  [[nodiscard]] bool new_buffer(std::size_t bytes);

  packet::BufferSource& large_;
  packet::BufferSource& small_;
  DeviceWork* work_ = nullptr;
  Arena* arena_ = nullptr;  // of the open train
  std::size_t expected_ = 0;
  std::size_t header_bytes_ = 0;  // of the open train's channel header, 0 on a direct path
  bool open_ = false;             // the last train may grow
};

}  // namespace fireline::wireguard
