#include "core/wireguard/peer.h"

namespace fireline::wireguard {

std::uint32_t Peer::next_session_index() noexcept {
  // At most ten indices are in use, so this ends soon.
  for (;;) {
    const std::uint32_t index = session_index(connection, ++session_counter);
    const bool waits = (initiation && initiation->sender_index == index) ||
                       (earlier_initiation && earlier_initiation->sender_index == index);
    if (!waits && sessions.find(index) == nullptr) return index;
  }
}

void Peer::forget_handshakes() noexcept {
  initiation.reset();
  earlier_initiation.reset();
  held_responses.clear();
  if (cookies) cookies->clear();
}

}  // namespace fireline::wireguard
