// Which readable socket is read next: always the one with the fewest packets counted, the longest waiting first among
// equals. A socket that becomes ready starts with the count of the one taken last, so that neither it nor those that
// have been busy for long are passed over, or with its own where that is more: being empty for a moment is no new
// start. A flood on one socket costs every other at most one batch of waiting, and no socket gets more than one batch
// (kBatchPackets) ahead of another ready one.
//
// Use: insert() for each readiness event; take() one, read a batch from it, then keep() it, or drop() it when the
// kernel had no more, with the number of packets read. Slots are small numbers that the caller gives to its sockets.
// Lifetime: a value, no system call. Threads: one. Limits: as many slots as were ever used at once; O(log n) per call.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace fireline::relay {

// How many packets one socket may be read ahead of another that is ready. Also what one GRO read may hold at most
// (UDP_GRO_CNT_MAX of the kernel).
inline constexpr std::size_t kBatchPackets = 64;

class ReadySet {
 public:
  using Slot = std::uint32_t;

  // The kernel reported readiness; no effect on a slot that is in the set already, in hand included.
  void insert(Slot slot);
  // The slot to read next, which stays a member; keep(), drop() or erase() it before the next take().
  [[nodiscard]] std::optional<Slot> take();
  // The slot taken last had `packets` to give and may have more.
  void keep(Slot slot, std::size_t packets);
  // The slot taken last gave `packets` and is empty: it comes back with the next readiness event.
  void drop(Slot slot, std::size_t packets) noexcept;
  // The socket is closed, whether or not it is a member. Another one in its slot owes nothing.
  void erase(Slot slot) noexcept;

  [[nodiscard]] bool empty() const noexcept { return members_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return members_; }

 private:
  struct Entry {
    std::uint64_t packets;  // the slot's count
    std::uint64_t age;      // smaller waits longer; unique
    Slot slot;
  };
  // Orders a max-heap so that its top is the smallest.
  struct Later {
    [[nodiscard]] bool operator()(const Entry& a, const Entry& b) const noexcept {
      return a.packets != b.packets ? a.packets > b.packets : a.age > b.age;
    }
  };
  struct Member {
    std::uint64_t age = 0;      // of its entry in the heap; 0: not a member
    std::uint64_t packets = 0;  // read from it, and the counts that it was given; outlives membership
  };

  void push(Slot slot, std::uint64_t packets);
  void compact();

  std::vector<Entry> heap_;  // an entry whose age is not its member's is stale
  std::vector<Member> members_of_;
  std::size_t members_ = 0;
  std::uint64_t last_age_ = 0;
  std::uint64_t reading_ = 0;  // the count of the slot taken last: no member has fewer
};

}  // namespace fireline::relay
