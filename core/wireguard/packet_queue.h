// Packets that wait for a session, each in a buffer of its own with room for header, padding and tag, so that it is
// sealed where it lies. At most `limit` of one peer; the memory is the pools' and bounded there as well.
// Source: WireGuard paper section 6.4. Allocates when a peer queues for the first time. Threads: one owner.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/packet/batch.h"
#include "core/packet/buffer.h"

namespace fireline::wireguard {

struct QueuedPacket {
  packet::Buffer buffer;    // the packet lies behind kTransportHeaderBytes
  std::uint32_t bytes = 0;  // of the IP packet
  packet::Ecn ecn = packet::Ecn::not_ect;
};

class PacketQueue {
 public:
  explicit PacketQueue(std::size_t limit) noexcept : limit_(limit) {}

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return count_ == limit_; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

  // Not when full().
  void push(QueuedPacket packet) {
    if (ring_.empty()) ring_.resize(limit_);
    ring_[(first_ + count_) % limit_] = std::move(packet);
    ++count_;
  }
  // The oldest; not when empty().
  [[nodiscard]] QueuedPacket pop() noexcept {
    QueuedPacket packet = std::move(ring_[first_]);
    first_ = (first_ + 1) % limit_;
    --count_;
    return packet;
  }

 private:
  std::size_t limit_;
  std::vector<QueuedPacket> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace fireline::wireguard
