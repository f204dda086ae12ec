// Where a reader's turn puts what it reads: each read goes into a large buffer; what is small is copied behind the
// small ones before it, so that one ping does not pin 64 KiB beside another, and the large buffer is read into again.
// The first small one is not copied: its buffer becomes the place of the others.
//
// read_turn() is the turn itself: how many calls, and what ends it.
//
// Lifetime: one turn; borrows the batch's buffers and the pool. A buffer in hand goes back to the pool at the end.
#pragma once
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "core/base/counters.h"
#include "core/base/wire.h"
#include "core/packet/buffer.h"
#include "io/io_status.h"

namespace fireline::io {

// A datagram or packet of an ordinary MTU. Copying one costs 24 ns, a sixteenth of sealing it.
inline constexpr std::size_t kCopyBreakBytes = 2048;
// What ends a turn: two super-packets, or as many small ones. What waits behind them waits for their cipher; more in a
// turn saves nothing (docs/performance.md).
inline constexpr std::size_t kTurnBytes = 98304;
// Writable bytes before and behind each item: a virtio-net header goes in front of an opened packet.
inline constexpr std::size_t kArenaSlackBytes = 16;

class ReceiveArena {
 public:
  // `buffers_max`: how many buffers the batch may hold.
  ReceiveArena(std::vector<packet::Buffer>& buffers, std::size_t buffers_max, packet::BufferSource& large) noexcept
      : buffers_(buffers), buffers_max_(buffers_max), large_(large) {}

  enum class Room : std::uint8_t { ready, batch_full, pool_empty };
  // Makes sure that space() may be read into.
  [[nodiscard]] Room prepare() noexcept {
    if (kept_bytes_ >= kTurnBytes) return Room::batch_full;
    if (in_hand_) return Room::ready;
    if (buffers_.size() >= buffers_max_) return Room::batch_full;
    in_hand_ = large_.acquire();
    return in_hand_ ? Room::ready : Room::pool_empty;
  }
  // After prepare(): the whole buffer; its 64 bytes of headroom lie in front.
  [[nodiscard]] Bytes space() const noexcept { return in_hand_.bytes(); }

  // Keeps the first `length` bytes of space() and says where they are from here on.
  [[nodiscard]] Bytes keep(std::size_t length) noexcept { return keep(in_hand_, in_hand_.bytes().first(length)); }

  // For buffers that the caller has filled itself: may the batch hold another?
  [[nodiscard]] bool has_room() const noexcept { return buffers_.size() < buffers_max_ && kept_bytes_ < kTurnBytes; }
  // Keeps `item`, which lies in `buffer`, and says where it is from here on: copied, or with its buffer, whose handle
  // is empty then. Call only while has_room().
  [[nodiscard]] Bytes keep(packet::Buffer& buffer, Bytes item) noexcept {
    kept_bytes_ += item.size();
    const std::size_t place = (used_ + kArenaSlackBytes + kAlignment - 1) / kAlignment * kAlignment;
    if (item.size() <= kCopyBreakBytes && place + item.size() + kArenaSlackBytes <= arena_.size()) {
      std::memcpy(arena_.data() + place, item.data(), item.size());
      used_ = place + item.size();
      return arena_.subspan(place, item.size());
    }
    if (item.size() <= kCopyBreakBytes) {
      arena_ = buffer.bytes();
      used_ = static_cast<std::size_t>(item.data() - arena_.data()) + item.size();
    }
    buffers_.push_back(std::move(buffer));
    return item;
  }

 private:
  static constexpr std::size_t kAlignment = 16;

  std::vector<packet::Buffer>& buffers_;
  std::size_t buffers_max_;
  packet::BufferSource& large_;
  packet::Buffer in_hand_;
  Bytes arena_;  // of a buffer in buffers_
  std::size_t used_ = 0;
  std::size_t kept_bytes_ = 0;
};

// What became of one system call of a turn. `failed` is any error that neither ends the device nor the turn.
enum class ReadCall : std::uint8_t { taken, interrupted, would_block, closed, failed };

// Failed calls of one turn, after which others get theirs. On a socket each failure hands over one pending error.
inline constexpr unsigned kReadErrorsMax = 16;

// Calls `read_call` with room in arena.space() until `items` holds `items_max`, a limit above is met, or it says
// would_block or closed. Counts `no_buffer` and `errors`; what was read is for `read_call` to count.
template <class Items, class Counter, class Call>
[[nodiscard]] IoStatus read_turn(ReceiveArena& arena, const Items& items, std::size_t items_max,
                                 Counters<Counter>& counters, Call read_call) {
  unsigned errors = 0;
  // Calls are bounded too: what is not kept (empty, malformed) fills no batch.
  for (std::size_t call = 0; call < items_max; ++call) {
    if (items.size() >= items_max) return IoStatus::done;
    switch (arena.prepare()) {
      case ReceiveArena::Room::ready:
        break;
      case ReceiveArena::Room::batch_full:
        return IoStatus::done;
      case ReceiveArena::Room::pool_empty:
        counters.add(Counter::no_buffer);
        return IoStatus::done;
    }
    switch (read_call()) {
      case ReadCall::taken:
      case ReadCall::interrupted:
        break;
      case ReadCall::would_block:
        return IoStatus::would_block;
      case ReadCall::closed:
        return IoStatus::closed;
      case ReadCall::failed:
        counters.add(Counter::errors);
        if (++errors >= kReadErrorsMax) return IoStatus::done;
        break;
    }
  }
  return IoStatus::done;
}

}  // namespace fireline::io
