// When a responder is under load, and how many handshakes one source may then ask for.
// Source: WireGuard paper section 5.3 and the kernel's ratelimiter for LoadRule::queue_depth; Firezone's connectivity
// for LoadRule::per_window.
//
// A message with valid mac1 goes through, in this order:
//   1. LoadDetector::under_load; if not under load: process.
//   2. CookieChecker::mac2_valid; if not: cookie reply, drop.
//   3. SourceLimiter::admit (LoadRule::queue_depth alone); if not: drop without answer.
//
// Threads: an object belongs to one thread. Time is an argument. No allocation after construction.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/wireguard/profile.h"

namespace fireline::wireguard {

inline constexpr Duration kLoadWindow = std::chrono::seconds(1);  // per_window: counts start again after this long
inline constexpr Duration kLoadHold = std::chrono::seconds(1);    // queue_depth: stay under load after the last sign
inline constexpr std::size_t kLoadQueueShare = 8;                 // queue_depth: under load from an eighth of the queue

class LoadDetector {
 public:
  explicit LoadDetector(const Profile& profile) noexcept
      : rule_(profile.load_rule), per_window_(profile.handshakes_per_second) {}

  // Called once for each initiation or response with valid mac1, which it counts. `queued` of at most `capacity`
  // handshake messages wait, this one not included; LoadRule::per_window does not look at them.
  [[nodiscard]] bool under_load(Instant now, std::size_t queued, std::size_t capacity) noexcept;

 private:
  [[nodiscard]] bool window_exceeded(Instant now) noexcept;
  [[nodiscard]] bool queue_filling(Instant now, std::size_t queued, std::size_t capacity) noexcept;

  LoadRule rule_;
  std::uint16_t per_window_;
  std::uint64_t count_ = 0;       // messages of this window
  std::optional<Instant> since_;  // per_window: start of the window; queue_depth: the last sign of load
};

// A token bucket per source: an IPv4 address or an IPv6 /64, because a host of the latter owns all of it.
//
// The table has a fixed size. A source that finds no free place takes that of the longest unused one in its set
// together with what is left of its tokens (a bucket that has refilled holds no information and gives a full one). So
// memory is bounded, and so is the work that any number of sources can cause: kSources times the rate.
class SourceLimiter {
 public:
  static constexpr std::size_t kWays = 8;        // places among which a source is searched: four cache lines
  static constexpr std::size_t kSources = 4096;  // 128 KiB; at 20 a second more than the X25519 of one core can serve
  static constexpr unsigned kBurst = 5;          // the kernel's: messages at once from a source that was quiet

  // `random` keys the table against sources chosen to share a set. Allocates the table.
  SourceLimiter(std::uint16_t messages_per_second, crypto::Random& random);

  // Takes a token of `source`; false when it has none left.
  [[nodiscard]] bool admit(Instant now, const IpAddress& source) noexcept;

  [[nodiscard]] std::size_t table_bytes() const noexcept { return entries_.capacity() * sizeof(Entry); }
  // Places in use, for status and tests; at most kSources.
  [[nodiscard]] std::size_t sources() const noexcept;

 private:
  struct Entry {
    std::uint64_t prefix = 0;  // IPv4 address or upper half of an IPv6 address
    Instant refilled;          // when `tokens` was right
    Duration tokens{};         // in time units: a message costs cost_
    Family family = Family::v4;
    bool used = false;
  };
  [[nodiscard]] Entry& find_or_replace(Instant now, std::uint64_t prefix, Family family) noexcept;
  [[nodiscard]] Duration tokens_at(Instant now, const Entry& entry) const noexcept;

  Duration cost_;
  std::uint64_t multiplier_;
  std::uint64_t addend_;
  std::vector<Entry> entries_;  // kSources / kWays sets of kWays
};

}  // namespace fireline::wireguard
