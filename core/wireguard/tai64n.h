// TAI64N: the timestamp inside a handshake initiation, by which a responder refuses replays.
// Source: WireGuard paper section 5.1; https://cr.yp.to/libtai/tai64.html. 12 bytes: 2^62 + seconds, then nanoseconds,
// both big-endian, so that the order of the bytes is the order of time. The format is not validated on receipt: any
// rising 96-bit value will do.
//
// Threads: values; a TimestampClock belongs to one thread.
#pragma once
#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <span>

#include "core/base/time.h"
#include "core/base/wire.h"
#include "core/wireguard/profile.h"

namespace fireline::wireguard {

inline constexpr std::size_t kTai64nBytes = 12;

// Seconds added to Unix time. A peer that is served by one implementation after another with the same key must not
// step back in time, so each profile adds what its own world adds: kernel and wireguard-go the 10 s of 1970, Firezone
// the 37 s of today.
inline constexpr std::chrono::seconds kTaiOffsetPaper{10};
inline constexpr std::chrono::seconds kTaiOffsetFirezone{37};

struct Tai64n {
  std::array<std::byte, kTai64nBytes> bytes{};  // all zero: earlier than every real time

  [[nodiscard]] static Tai64n from_unix(UnixTime time, std::chrono::seconds tai_offset) noexcept;
  [[nodiscard]] static Tai64n from_bytes(std::span<const std::byte, kTai64nBytes> bytes) noexcept;
  friend auto operator<=>(const Tai64n&, const Tai64n&) noexcept = default;
};

// The timestamps of one node, shared by all its peers: each is later than the one before, even when the wall clock
// steps back or two fall into the same unit (then one nanosecond later, so that a burst to thousands of peers does not
// run ahead of the clock).
class TimestampClock {
 public:
  // TimestampSource::whitened reads the wall clock of each call, its nanoseconds rounded down to a multiple of 2^24 as
  // the kernel does, which hides the machine's exact clock; `start` is not used. TimestampSource::node_start reads
  // `start` once and counts boot time from there, so that a jump of the wall clock never goes backwards.
  TimestampClock(TimestampSource source, Now start) noexcept : source_(source), start_(start) {}

  [[nodiscard]] Tai64n next(Now now) noexcept;

 private:
  TimestampSource source_;
  Now start_;
  UnixTime last_ = UnixTime::min();
};

}  // namespace fireline::wireguard
