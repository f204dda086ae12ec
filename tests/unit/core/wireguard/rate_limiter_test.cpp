#include "core/wireguard/rate_limiter.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>

#include "tests/unit/core/wireguard/handshake_fixture.h"

namespace fireline::wireguard {
namespace {

constexpr Instant kStart{1000s};
constexpr std::size_t kQueue = 4096;

IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}
IpAddress numbered(std::uint32_t number) {
  std::array<std::byte, 4> bytes;
  store_be32(bytes, 0, number);
  return IpAddress::from_bytes(bytes);
}
// How many of `tries` messages at `now` are admitted.
unsigned admitted(SourceLimiter& limiter, Instant now, const IpAddress& source, unsigned tries) {
  unsigned count = 0;
  for (unsigned i = 0; i < tries; ++i) count += limiter.admit(now, source) ? 1u : 0u;
  return count;
}

TEST(LoadDetector, PerWindowCountsMessages) {
  LoadDetector detector(kFirezoneProfile);
  for (int i = 1; i <= 100; ++i) EXPECT_FALSE(detector.under_load(kStart, 0, kQueue)) << "message " << i;
  EXPECT_TRUE(detector.under_load(kStart, 0, kQueue)) << "message 101";
  EXPECT_TRUE(detector.under_load(kStart + 1s - 1ns, 0, kQueue)) << "still the same window";
  EXPECT_FALSE(detector.under_load(kStart + 1s, 0, kQueue)) << "a new window";
  for (int i = 2; i <= 100; ++i) EXPECT_FALSE(detector.under_load(kStart + 1s, 0, kQueue));
  EXPECT_TRUE(detector.under_load(kStart + 1500ms, 0, kQueue));
  EXPECT_FALSE(detector.under_load(kStart + 1h, 0, kQueue)) << "after a long silence";
}

TEST(LoadDetector, PerWindowIgnoresTheQueue) {
  LoadDetector detector(kFirezoneProfile);
  EXPECT_FALSE(detector.under_load(kStart, kQueue, kQueue));
}

TEST(LoadDetector, QueueDepthFromAnEighthAndASecondLonger) {
  struct Row {
    std::string_view rule;
    Duration at;
    std::size_t queued;
    bool loaded;
  };
  const Row rows[] = {
      {"an empty queue is no load", 0s, 0, false},
      {"just below an eighth is no load", 1s, 511, false},
      {"an eighth is load", 2s, 512, true},
      {"a second longer after it", 3s - 1ns, 0, true},
      {"and then no more", 3s, 0, false},
      {"a full queue is load", 10s, 4096, true},
      {"a new sign", 10'500ms, 512, true},
      {"counts from the last sign", 11'499ms, 511, true},
      {"until a second later", 11'500ms, 511, false},
  };
  LoadDetector detector(kPaperProfile);
  for (const Row& row : rows) {
    EXPECT_EQ(detector.under_load(kStart + row.at, row.queued, kQueue), row.loaded) << row.rule;
  }
}

TEST(LoadDetector, QueueDepthDoesNotCountMessages) {
  LoadDetector detector(kPaperProfile);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(detector.under_load(kStart, 0, kQueue));
}

TEST(SourceLimiter, FiveAtOnceThenTwentyASecond) {
  SeededRandom random(1);
  SourceLimiter limiter(kPaperProfile.handshakes_per_second, random);
  const IpAddress source = address("192.0.2.1");
  EXPECT_EQ(admitted(limiter, kStart, source, 100), 5u);
  EXPECT_EQ(admitted(limiter, kStart + 50ms - 1ns, source, 1), 0u) << "a token takes 50 ms";
  EXPECT_EQ(admitted(limiter, kStart + 50ms, source, 2), 1u) << "and a refused message takes none";
  unsigned in_ten_seconds = 0;
  for (int ms = 100; ms < 10'100; ++ms) in_ten_seconds += admitted(limiter, kStart + ms * 1ms, source, 1);
  EXPECT_EQ(in_ten_seconds, 200u);
  EXPECT_EQ(admitted(limiter, kStart + 1h, source, 100), 5u) << "the bucket holds no more than the burst";
}

TEST(SourceLimiter, WhatIsOneSource) {
  struct Row {
    std::string_view rule;
    std::string_view first;
    std::string_view second;
    bool same;
  };
  const Row rows[] = {
      {"IPv4 addresses are sources of their own", "192.0.2.1", "192.0.2.2", false},
      {"an IPv6 /64 is one source", "2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
      {"another /64 is another source", "2001:db8:0:1::1", "2001:db8:0:2::1", false},
      {"an IPv4 address is not the /64 with the same number", "192.0.2.1", "0:0:c000:201::", false},
  };
  for (const Row& row : rows) {
    SeededRandom random(1);
    SourceLimiter limiter(20, random);
    EXPECT_EQ(admitted(limiter, kStart, address(row.first), 10), 5u) << row.rule;
    EXPECT_EQ(admitted(limiter, kStart, address(row.second), 10), row.same ? 0u : 5u) << row.rule;
    EXPECT_EQ(limiter.sources(), row.same ? 1u : 2u) << row.rule;
  }
}

TEST(SourceLimiter, MemoryIsBoundedWhateverTheNumberOfSources) {
  SeededRandom random(1);
  SourceLimiter limiter(20, random);
  const std::size_t before = limiter.table_bytes();
  EXPECT_LE(before, 128u * 1024u);
  for (std::uint32_t i = 0; i < 200'000; ++i) static_cast<void>(limiter.admit(kStart + i * 1us, numbered(i)));
  EXPECT_EQ(limiter.table_bytes(), before);
  EXPECT_EQ(limiter.sources(), SourceLimiter::kSources);
}

TEST(SourceLimiter, ManySourcesCannotCauseMoreThanTheTableAllows) {
  SeededRandom random(1);
  SourceLimiter limiter(20, random);
  std::size_t passed = 0;
  for (std::uint32_t i = 0; i < 500'000; ++i) passed += limiter.admit(kStart, numbered(i)) ? 1u : 0u;
  EXPECT_LE(passed, SourceLimiter::kSources * SourceLimiter::kBurst) << "at once: the burst of each place";
  EXPECT_GE(passed, SourceLimiter::kSources) << "and the first message into each place passes";
  for (std::uint32_t i = 0; i < 500'000; ++i) passed += limiter.admit(kStart + 1s, numbered(i)) ? 1u : 0u;
  EXPECT_LE(passed, SourceLimiter::kSources * SourceLimiter::kBurst * 2) << "and no more than that a second later";
}

// One source may not get its tokens back by making its entry disappear.
TEST(SourceLimiter, ComingBackAfterEvictionGivesNoNewBurst) {
  SeededRandom random(1);
  SourceLimiter limiter(20, random);
  for (std::uint32_t i = 0; i < 500'000; ++i) static_cast<void>(limiter.admit(kStart, numbered(i)));
  EXPECT_EQ(admitted(limiter, kStart, numbered(0), 10), 0u);
}

// A table full of sources that have gone leaves room for new ones.
TEST(SourceLimiter, ANewSourceTakesThePlaceOfAnIdleOne) {
  SeededRandom random(1);
  SourceLimiter limiter(20, random);
  for (std::uint32_t i = 0; i < 100'000; ++i) static_cast<void>(limiter.admit(kStart, numbered(i)));
  EXPECT_EQ(admitted(limiter, kStart + 1s, address("198.51.100.7"), 10), 5u);
  EXPECT_EQ(limiter.sources(), SourceLimiter::kSources);
}

// The longest unused place goes first, so that a newcomer does not inherit the empty bucket of one who is busy.
TEST(SourceLimiter, NewcomersTakeIdlePlacesBeforeBusyOnes) {
  SeededRandom random(1);
  SourceLimiter limiter(20, random);
  for (std::uint32_t i = 0; i < 100'000; ++i) static_cast<void>(limiter.admit(kStart, numbered(i)));
  // On average one newcomer in each of the 512 sets of eight; so few that no set runs out of idle places.
  for (std::uint32_t i = 0; i < 512; ++i) {
    EXPECT_EQ(admitted(limiter, kStart + 10s + i * 1us, numbered(1'000'000 + i), 10), 5u) << "newcomer " << i;
  }
}

TEST(SourceLimiter, ABusySourceStaysWhileOthersComeAndGo) {
  SeededRandom random(1);
  SourceLimiter limiter(20, random);
  const IpAddress busy = address("203.0.113.5");
  unsigned passed = 0;
  std::uint32_t stranger = 0;
  for (int second = 0; second < 10; ++second) {
    for (int step = 0; step < 100; ++step) {
      const Instant now = kStart + second * 1s + step * 10ms;
      passed += admitted(limiter, now, busy, 1);
      for (int i = 0; i < 50; ++i) static_cast<void>(limiter.admit(now, numbered(stranger++)));
    }
  }
  // Eviction takes the longest unused of a set, never the busy one: burst and 20 a second, neither more nor less.
  EXPECT_GE(passed, 200u);
  EXPECT_LE(passed, 205u);
}

TEST(SourceLimiter, ARateOfZeroIsOne) {
  SeededRandom random(1);
  SourceLimiter limiter(0, random);
  const IpAddress source = address("192.0.2.1");
  EXPECT_EQ(admitted(limiter, kStart, source, 10), 5u);
  EXPECT_EQ(admitted(limiter, kStart + 1s, source, 10), 1u);
}

TEST(RateLimits, ProfilesChooseTheirRule) {
  EXPECT_EQ(kPaperProfile.load_rule, LoadRule::queue_depth);
  EXPECT_EQ(kPaperProfile.handshakes_per_second, 20);
  EXPECT_EQ(kFirezoneProfile.load_rule, LoadRule::per_window);
  EXPECT_EQ(kFirezoneProfile.handshakes_per_second, 100);
}

}  // namespace
}  // namespace fireline::wireguard
