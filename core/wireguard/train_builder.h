// Lays outgoing datagrams out: one behind the other in large buffers, so that consecutive datagrams of equal length to
// one peer are a train (one GSO send), and trains of many peers share a buffer. A turn that is small enough gets a
// small buffer instead.
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

  // Room for a datagram to the peer's endpoint, which must be known. Null when there is no buffer.
  [[nodiscard]] std::byte* place(Peer& peer, Session& session, packet::Ecn ecn, std::size_t bytes) {
    if (open_ && &session == train().session && ecn == train().train.ecn && bytes <= arena_->room &&
        bytes <= train().train.segment_bytes && train().datagrams < packet::kTrainSegments &&
        train().train.bytes.size() + bytes <= packet::kTrainBytesV6) {
      PlannedTrain& planned = train();
      planned.train.bytes = {planned.train.bytes.data(), planned.train.bytes.size() + bytes};
      ++planned.datagrams;
      open_ = bytes == planned.train.segment_bytes;  // a shorter one is the last of a GSO send
      return take(bytes);
    }
    return start_train(peer, session, ecn, bytes);
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
  [[nodiscard]] std::byte* start_train(Peer& peer, Session& session, packet::Ecn ecn, std::size_t bytes);
  [[nodiscard]] bool new_buffer(std::size_t bytes);

  packet::BufferSource& large_;
  packet::BufferSource& small_;
  DeviceWork* work_ = nullptr;
  Arena* arena_ = nullptr;  // of the open train
  std::size_t expected_ = 0;
  bool open_ = false;  // the last train may grow
};

}  // namespace fireline::wireguard
