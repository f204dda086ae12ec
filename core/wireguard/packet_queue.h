// Packets that wait for a session or a path, each in a buffer of its own with room for both headers, padding and tag,
// so that it is sealed where it lies and leaves either way. At most `limit` of one peer; the memory is the pools' and
// bounded there as well. Source: WireGuard paper section 6.4. Allocates when a peer queues for the first time. Threads:
// one owner.
#pragma once
#include <cstddef>
#include <cstdint>
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
#ifdef FIRELINE_PLANTED_FLUSH_REVERSED
    // A fault on purpose: the simulator shows that it finds it.
    return std::move(ring_[(first_ + --count_) % limit_]);
#else
    QueuedPacket packet = std::move(ring_[first_]);
    first_ = (first_ + 1) % limit_;
    --count_;
    return packet;
#endif
  }

 private:
  std::size_t limit_;
  std::vector<QueuedPacket> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace fireline::wireguard
