// Packets that wait for a session or a path, each in a buffer of its own with room for both headers, padding and tag,
// so that it is sealed where it lies and leaves either way. At most `limit` of one peer; the memory is the pools' and
// bounded there as well. Source: WireGuard paper section 6.4. Allocates with the first packet, frees with the last one:
// nearly all queues are empty, and a look at such a one is a look at a pointer. Threads: one owner.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/packet/batch.h"
#include "core/packet/buffer.h"
#include "core/stun/channel_data.h"
#include "core/wireguard/messages.h"

namespace fireline::wireguard {

// In front of a queued packet: whether it goes through a TURN channel is known when it leaves.
inline constexpr std::size_t kQueuedHeadBytes = stun::kChannelHeaderBytes + kTransportHeaderBytes;

struct QueuedPacket {
  packet::Buffer buffer;    // the packet lies behind kQueuedHeadBytes
  std::uint32_t bytes = 0;  // of the IP packet
  packet::Ecn ecn = packet::Ecn::not_ect;
};

class PacketQueue {
 public:
  explicit PacketQueue(std::size_t limit) noexcept : limit_(static_cast<std::uint32_t>(limit)) {}

  [[nodiscard]] bool empty() const noexcept { return ring_ == nullptr; }
  [[nodiscard]] bool full() const noexcept { return size() == limit_; }
  [[nodiscard]] std::size_t size() const noexcept { return ring_ == nullptr ? 0 : ring_->count; }

  // Not when full().
  void push(QueuedPacket packet) {
    if (ring_ == nullptr) ring_ = std::make_unique<Ring>(limit_);
    ring_->packets[(ring_->first + ring_->count) % limit_] = std::move(packet);
    ++ring_->count;
  }
  // The oldest; not when empty().
  [[nodiscard]] QueuedPacket pop() noexcept {
    --ring_->count;
#ifdef FIRELINE_PLANTED_FLUSH_REVERSED
    // A fault on purpose: the simulator shows that it finds it.
    QueuedPacket packet = std::move(ring_->packets[(ring_->first + ring_->count) % limit_]);
#else
    QueuedPacket packet = std::move(ring_->packets[ring_->first]);
    ring_->first = (ring_->first + 1) % limit_;
#endif
    if (ring_->count == 0) ring_.reset();
    return packet;
  }

 private:
  struct Ring {
    explicit Ring(std::size_t limit) : packets(limit) {}
    std::vector<QueuedPacket> packets;
    std::size_t first = 0;
    std::size_t count = 0;
  };

  std::unique_ptr<Ring> ring_;  // null: empty
  std::uint32_t limit_;
};

}  // namespace fireline::wireguard
