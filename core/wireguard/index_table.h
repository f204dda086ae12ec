// Session indices of 24 + 8 bits: (connection number << 8) | session counter. A connection number belongs to a peer for
// as long as the peer exists; it is random, so that nobody off the path can guess an index, and unique. The session
// counter is the peer's (peer.h). Firezone's demultiplexing by the upper 24 bits works the same way.
//
// An open-addressing table with linear probing: a look-up on the receive path is one or two cache lines.
// Allocates on insert alone. Threads: one owner.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/prefetch.h"
#include "core/crypto/random.h"

namespace fireline::wireguard {

struct Peer;
struct Session;

inline constexpr unsigned kSessionCounterBits = 8;
inline constexpr std::uint32_t kConnectionNumbers = std::uint32_t{1} << 24;

[[nodiscard]] constexpr std::uint32_t session_index(std::uint32_t connection, std::uint8_t counter) noexcept {
  return connection << kSessionCounterBits | counter;
}

class IndexTable {
 public:
  IndexTable();

  // A number that no other peer has. The owner keeps size() below kPeersMax, a sixteenth of all numbers, so that a
  // random number is free nearly always.
  [[nodiscard]] std::uint32_t insert(Peer* peer, crypto::Random& random);
  void erase(std::uint32_t connection) noexcept;

  // The peer whose connection number is in the upper bits of the session index, or null.
  [[nodiscard]] Peer* find(std::uint32_t index) const noexcept { return slots_[position_of(index)].peer; }
  // The session of it that was noted last, for a prefetch; or null.
  [[nodiscard]] const Session* guess_session(std::uint32_t index) const noexcept {
    const Slot& slot = slots_[position_of(index)];
    return slot.peer == nullptr ? nullptr : slot.session.guess<Session>(slot.peer);
  }
  void note_session(std::uint32_t index, const Session* session) noexcept {
    if (Slot& slot = slots_[position_of(index)]; slot.peer != nullptr) slot.session.note(session);
  }
  // For find() soon.
  void prefetch(std::uint32_t index) const noexcept { prefetch_line(&slots_[(index >> kSessionCounterBits) & mask_]); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Slot {
    Peer* peer = nullptr;  // null: free
    std::uint32_t connection = 0;
    PrefetchHint session;
  };
  // Of the connection's slot, or of a free one.
  [[nodiscard]] std::size_t position_of(std::uint32_t index) const noexcept {
    const std::uint32_t connection = index >> kSessionCounterBits;
    std::size_t i = connection & mask_;
    while (slots_[i].peer != nullptr && slots_[i].connection != connection) i = (i + 1) & mask_;
    return i;
  }
  void place(std::uint32_t connection, Peer* peer) noexcept;
  void grow();

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::size_t mask_;
  std::size_t size_ = 0;
};

}  // namespace fireline::wireguard
