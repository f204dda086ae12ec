// Who has to wait when more comes in than the packet thread can open: the loudest senders, and nobody else. Without it
// the kernel drops from a full socket whoever comes, so that one flooding client takes everybody's packets and a
// socket's worth of waiting besides.
//
// As CoDel does (RFC 8289), a queue that was not empty for a whole period tells of pressure. As AFD does (Pan et al.,
// "Approximate fairness through differential dropping", 2003), what came of a sender in the last period is compared
// with a share, which falls while there is pressure and rises when there is none. A sender alone is left to its own
// congestion control, unless the socket overflows: then nobody else gets in to be seen.
//
// What becomes of a sender above the share depends on what the socket has:
//   a loud queue (io/udp_port.h)  loud() names the sender, and the kernel puts its data into that queue, which is read
//                                 when the first one is empty. What does not fit is dropped by the kernel, at the cost
//                                 of whoever delivers it. Nobody is named any more once that queue has kept up
//                                 for kCalm.
//   none, or kLoudMax are named   the part above the share is dropped here: reading is several times cheaper than
//                                 opening, so that a reader that drops catches up where it gets the CPU to do so
//
// Lifetime: one socket. Threads: its reader's. Limits: kSlots senders are told apart; more share a slot and its fate,
// but that the one with most of it is the one that is named.
// Nothing is allocated. Only WireGuard's transport data is judged: STUN and handshakes have a bounded queue of their
// own. Who sends from many addresses, or spoofs another's, is not told from those whose they are.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "core/base/time.h"
#include "core/packet/batch.h"
#include "core/packet/sender.h"

namespace fireline::packet {

class FairShare {
 public:
  static constexpr std::size_t kSlots = 1024;  // 50 senders collide in one of a thousand pairs
  // Several batches; a quarter of what a quiet sender's packet may wait at most (20 ms).
  static constexpr Duration kPeriod = std::chrono::milliseconds(5);
  // The kernel compares each datagram with all of them, 10 ns each. With as many above their share each has little.
  static constexpr std::size_t kLoudMax = 32;
  // Long against a change of the kernel's rule, short for a person.
  static constexpr Duration kCalm = std::chrono::seconds(1);

  // `seed` keeps others from choosing whose slot they share.
  explicit FairShare(std::uint64_t seed) noexcept : seed_(seed) {}

  // Another socket: nobody is loud.
  void reset(bool has_loud_queue) noexcept;

  // Once per turn of the reader, before its datagrams. True: loud() has changed.
  [[nodiscard]] bool begin(Instant now) noexcept;
  // Accounts for one train out of the first queue; false: it is to be dropped.
  [[nodiscard]] bool admit(const ReceivedDatagrams& train) noexcept;
  // The first queue had nothing more.
  void drained() noexcept { drained_ = true; }
  // The kernel dropped datagrams, for the first queue was full.
  void overflowed() noexcept { overflowed_ = true; }
  // The same of the loud queue.
  void loud_drained() noexcept { loud_drained_ = true; }
  void loud_overflowed() noexcept { loud_overflowed_ = true; }

  // Whose data belongs into the loud queue.
  [[nodiscard]] std::span<const Sender> loud() const noexcept { return std::span(loud_).first(loud_count_); }
  // Those named last may still have data in the first queue, in front of what they have in the other.
  [[nodiscard]] bool settling() const noexcept { return settling_; }
  [[nodiscard]] bool pressed() const noexcept { return share_ != kUnlimited; }

 private:
  static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();
  struct Slot {
    std::uint32_t now = 0;   // cost in this period
    std::uint32_t last = 0;  // in the one before
    std::uint32_t credit = 0;
    std::uint32_t majority = 0;
    Sender sender;  // who had the majority of `now`, if anybody had it (Boyer and Moore's vote)
  };

  [[nodiscard]] bool end_period(Instant now) noexcept;
  [[nodiscard]] std::uint32_t close_accounts(Duration length) noexcept;
  void press(std::uint32_t loudest) noexcept;
  [[nodiscard]] bool name_loud() noexcept;
  void forget_loud() noexcept;
  void account(Slot& slot, const Sender& sender, std::uint32_t cost) noexcept;
  [[nodiscard]] Slot& slot_of(const Sender& sender) noexcept;

  std::uint64_t seed_;
  std::array<Slot, kSlots> slots_{};
  // Places of the slots with a cost in this period and in the one before: a reader that woke for one packet does not
  // pass by all of them first.
  std::array<std::uint16_t, kSlots> active_{};
  std::array<std::uint16_t, kSlots> active_before_{};
  std::size_t active_count_ = 0;
  std::size_t active_before_count_ = 0;
  bool shared_ = false;               // two senders met in a slot in this period: one active slot is not one sender
  std::uint32_t share_ = kUnlimited;  // cost per period
  Instant began_{};
  bool drained_ = true;
  bool overflowed_ = false;

  bool has_loud_queue_ = false;
  std::array<Sender, kLoudMax> loud_{};
  std::size_t loud_count_ = 0;
  bool loud_drained_ = true;
  bool loud_overflowed_ = false;
  Instant behind_at_{};  // when the loud queue had last not kept up
  // What the loud had in the first queue goes first; until then its length says nothing of the others.
  bool settling_ = false;
  Instant settling_until_{};
};

}  // namespace fireline::packet
