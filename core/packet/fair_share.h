// Who loses datagrams when more comes in than the packet thread can open: the loudest senders, and nobody else. Without
// it the kernel drops from a full socket whoever comes, so that one flooding client takes everybody's packets and a
// socket's worth of waiting besides.
//
// As CoDel does (RFC 8289), a queue that was not empty for a whole period tells of pressure: reading is several times
// cheaper than opening, so that a reader that drops catches up. As AFD does (Pan et al., "Approximate fairness through
// differential dropping", 2003), a sender above the share loses the part above it: what came of it in the last period
// is compared with the share, which falls while there is pressure and rises when there is none. A sender alone is
// left to its own congestion control, unless the socket overflows: then nobody else gets in to be seen.
//
// Lifetime: one socket. Threads: its reader's. Limits: kSlots senders are told apart; more share a slot and its fate.
// Nothing is allocated. Only WireGuard's transport data is judged: STUN and handshakes have a bounded queue of their
// own.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/base/time.h"
#include "core/packet/batch.h"

namespace fireline::packet {

class FairShare {
 public:
  static constexpr std::size_t kSlots = 1024;  // 50 senders collide in one of a thousand pairs
  // Several batches; a quarter of what a quiet sender's packet may wait at most (20 ms).
  static constexpr Duration kPeriod = std::chrono::milliseconds(5);

  // `seed` keeps others from choosing whose slot they share.
  explicit FairShare(std::uint64_t seed) noexcept : seed_(seed) {}

  // Once per turn of the reader, before its datagrams.
  void begin(Instant now) noexcept;
  // Accounts for one train; false: it is to be dropped.
  [[nodiscard]] bool admit(const ReceivedDatagrams& train) noexcept;
  // The socket had nothing more.
  void drained() noexcept { drained_ = true; }
  // The kernel dropped datagrams, for the socket was full.
  void overflowed() noexcept { overflowed_ = true; }

  [[nodiscard]] bool pressed() const noexcept { return share_ != kUnlimited; }

 private:
  static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();
  struct Slot {
    std::uint32_t now = 0;   // cost in this period
    std::uint32_t last = 0;  // in the one before
    std::uint32_t credit = 0;
  };

  void end_period(Duration length) noexcept;
  [[nodiscard]] Slot& slot_of(const ReceivedDatagrams& train) noexcept;

  std::uint64_t seed_;
  std::array<Slot, kSlots> slots_{};
  std::uint32_t share_ = kUnlimited;  // cost per period
  Instant began_{};
  bool drained_ = true;
  bool overflowed_ = false;
};

}  // namespace fireline::packet
