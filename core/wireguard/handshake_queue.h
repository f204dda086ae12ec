// Received handshake messages that wait for step_handshake: initiations and responses with valid mac1, and cookie
// replies. A ring of copies, so that no datagram buffer is held; allocated once. Threads: one owner.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/packet/batch.h"
#include "core/wireguard/constants.h"
#include "core/wireguard/messages.h"

namespace fireline::wireguard {

struct QueuedHandshake {
  std::array<std::byte, kInitiationBytes> message{};  // the longest of the three
  std::uint8_t bytes = 0;
  Endpoint source;
  packet::LocalAddress local;
  bool relayed = false;  // source and local as in ReceivedDatagrams with `skip`

  [[nodiscard]] ConstBytes view() const noexcept { return ConstBytes(message).first(bytes); }
};
static_assert(kInitiationBytes <= UINT8_MAX && kResponseBytes <= kInitiationBytes &&
              kCookieReplyBytes <= kInitiationBytes);

class HandshakeQueue {
 public:
  HandshakeQueue() : ring_(kHandshakeQueueMessages) {}

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

  // False when full. At most kInitiationBytes.
  [[nodiscard]] bool push(ConstBytes message, const packet::ReceivedDatagrams& from) noexcept {
    if (count_ == ring_.size()) return false;
    QueuedHandshake& slot = ring_[(first_ + count_) % ring_.size()];
    std::ranges::copy(message, slot.message.begin());
    slot.bytes = static_cast<std::uint8_t>(message.size());
    slot.source = from.source;
    slot.local = from.local;
    slot.relayed = from.skip != 0;
    ++count_;
    return true;
  }
  // The oldest; not when empty(). Valid until the next push.
  [[nodiscard]] const QueuedHandshake& pop() noexcept {
    const QueuedHandshake& slot = ring_[first_];
    first_ = (first_ + 1) % ring_.size();
    --count_;
    return slot;
  }
  void clear() noexcept { count_ = 0; }

 private:
  std::vector<QueuedHandshake> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace fireline::wireguard
