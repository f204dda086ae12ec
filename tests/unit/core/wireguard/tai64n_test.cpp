#include "core/wireguard/tai64n.h"

#include <gtest/gtest.h>

#include <string_view>

#include "tests/unit/core/crypto/hex.h"

namespace fireline::wireguard {
namespace {

using crypto::to_hex;

constexpr Now kStart{.boot = Instant(1000s), .wall = UnixTime(1'700'000'000s + 123'456'789ns)};

Now after(Duration elapsed) {
  return {.boot = kStart.boot + elapsed, .wall = kStart.wall + elapsed};
}
// The nanoseconds field.
std::uint32_t nanos(const Tai64n& timestamp) {
  return load_be32(timestamp.bytes, 8);
}

TEST(Tai64n, UnixTimeInBigEndianWithItsOffset) {
  struct Row {
    std::string_view rule;
    UnixTime time;
    std::chrono::seconds offset;
    std::string_view hex;
  };
  const Row rows[] = {
      {"the epoch as the kernel has it", UnixTime(0s), kTaiOffsetPaper, "400000000000000a00000000"},
      {"the epoch as Firezone has it", UnixTime(0s), kTaiOffsetFirezone, "400000000000002500000000"},
      {"the last nanosecond of a second", UnixTime(1s + 999'999'999ns), kTaiOffsetFirezone, "40000000000000263b9ac9ff"},
      {"a time of the vectors", kStart.wall, kTaiOffsetFirezone, "400000006553f125075bcd15"},
      {"a nanosecond before the epoch", UnixTime(-1ns), kTaiOffsetPaper, "40000000000000093b9ac9ff"},
      {"a clock that was never set, before 1970 by an hour", UnixTime(-3600s), kTaiOffsetPaper,
       "3ffffffffffff1fa00000000"},
  };
  for (const Row& row : rows) EXPECT_EQ(to_hex(Tai64n::from_unix(row.time, row.offset).bytes), row.hex) << row.rule;
}

TEST(Tai64n, OrderIsThatOfTime) {
  const Tai64n zero;
  const auto first = Tai64n::from_unix(UnixTime(1s + 999'999'999ns), kTaiOffsetPaper);
  const auto second = Tai64n::from_unix(UnixTime(2s), kTaiOffsetPaper);
  const auto later = Tai64n::from_unix(UnixTime(2s + 1ns), kTaiOffsetPaper);
  EXPECT_LT(zero, first);
  EXPECT_LT(first, second);
  EXPECT_LT(second, later);
  EXPECT_EQ(second, Tai64n::from_bytes(second.bytes));
  Tai64n highest;
  highest.bytes.fill(std::byte{0xff});  // compared as unsigned: any rising value will do
  EXPECT_LT(later, highest);
}

TEST(TimestampClock, WhitenedRoundsNanosecondsDown) {
  struct Row {
    std::string_view rule;
    Duration below_second;
    std::uint32_t nanos;
  };
  const Row rows[] = {
      {"the start of a second stays", 0ns, 0},
      {"just below the unit is the start of the second", 16'777'215ns, 0},
      {"the unit stays", 16'777'216ns, 16'777'216},
      {"the middle goes down", 123'456'789ns, 117'440'512},
      {"the last unit of a second is the 59th", 999'999'999ns, 59u << 24},
  };
  for (const Row& row : rows) {
    TimestampClock clock(TimestampSource::whitened, kStart);
    const Now now{.boot = kStart.boot, .wall = UnixTime(1'700'000'000s) + row.below_second};
    const auto timestamp = clock.next(now);
    EXPECT_EQ(nanos(timestamp), row.nanos) << row.rule;
    EXPECT_EQ(load_be64(timestamp.bytes, 0), 0x400000006553f100u + 10u) << row.rule;
  }
}

TEST(TimestampClock, NodeStartHasFullResolutionAndIgnoresTheWallClockLater) {
  TimestampClock clock(TimestampSource::node_start, kStart);
  EXPECT_EQ(to_hex(clock.next(kStart).bytes), "400000006553f125075bcd15");
  const Now set_back{.boot = kStart.boot + 5s + 1ns, .wall = UnixTime(0s)};
  EXPECT_EQ(to_hex(clock.next(set_back).bytes), "400000006553f12a075bcd16");
  const Now set_forward{.boot = kStart.boot + 6s, .wall = kStart.wall + 1000h};
  EXPECT_EQ(to_hex(clock.next(set_forward).bytes), "400000006553f12b075bcd15");
}

TEST(TimestampClock, WhitenedFollowsTheWallClockForward) {
  TimestampClock clock(TimestampSource::whitened, kStart);
  const auto before = clock.next(kStart);
  const Now jumped{.boot = kStart.boot, .wall = kStart.wall + 1000h};
  EXPECT_EQ(load_be64(clock.next(jumped).bytes, 0) - load_be64(before.bytes, 0), 3'600'000u);
}

TEST(TimestampClock, EachIsLaterThanTheOneBefore) {
  for (const auto source : {TimestampSource::whitened, TimestampSource::node_start}) {
    TimestampClock clock(source, kStart);
    Tai64n last;
    const Now times[] = {kStart,      kStart,     after(1ns),  after(20ms), after(20ms),
                         after(-10s), after(-1h), after(30ms), after(1s),   after(1s)};
    for (const Now& now : times) {
      const auto timestamp = clock.next(now);
      EXPECT_GT(timestamp, last);
      last = timestamp;
    }
  }
}

TEST(TimestampClock, ABurstDoesNotRunAheadOfTheClock) {
  TimestampClock clock(TimestampSource::whitened, kStart);
  Tai64n last;
  for (int i = 0; i < 100'000; ++i) last = clock.next(kStart);  // as many peers at once
  EXPECT_LT(last, Tai64n::from_unix(kStart.wall + 1ms, kTaiOffsetPaper));
}

TEST(TimestampClock, LaterByANanosecondCarriesIntoTheSecond) {
  const Now now{.boot = kStart.boot, .wall = UnixTime(999'999'999ns)};
  TimestampClock clock(TimestampSource::node_start, now);
  EXPECT_EQ(to_hex(clock.next(now).bytes), "40000000000000253b9ac9ff");
  EXPECT_EQ(to_hex(clock.next(now).bytes), "400000000000002600000000");
}

TEST(TimestampClock, ProfilesChooseTheirSource) {
  EXPECT_EQ(kPaperProfile.timestamp, TimestampSource::whitened);
  EXPECT_EQ(kFirezoneProfile.timestamp, TimestampSource::node_start);
}

}  // namespace
}  // namespace fireline::wireguard
