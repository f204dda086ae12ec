// The replay window against the kernel's own table (drivers/net/wireguard/selftest/counter.c) and a plain set.
#include "core/wireguard/replay_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/unit/core/wireguard/handshake_fixture.h"

namespace fireline::wireguard {
namespace {

struct Row {
  int number;  // the kernel's
  std::uint64_t counter;
  bool accepted;
};

class ReplayWindowOf : public testing::TestWithParam<std::size_t> {};

TEST_P(ReplayWindowOf, KernelTable) {
  const std::uint64_t lim = GetParam() + 1;
  const Row rows[] = {
      {1, 0, true},
      {2, 1, true},
      {3, 1, false},
      {4, 9, true},
      {5, 8, true},
      {6, 7, true},
      {7, 7, false},
      {8, lim, true},
      {9, lim - 1, true},
      {10, lim - 1, false},
      {11, lim - 2, true},
      {12, 2, true},
      {13, 2, false},
      {14, lim + 16, true},
      {15, 3, false},
      {16, lim + 16, false},
      {17, lim * 4, true},
      {18, lim * 4 - (lim - 1), true},
      {19, 10, false},
      {20, lim * 4 - lim, false},
      {21, lim * 4 - (lim + 1), false},
      {22, lim * 4 - (lim - 2), true},
      {23, lim * 4 + 1 - lim, false},
      {24, 0, false},
      {25, kRejectAfterMessages, false},
      {26, kRejectAfterMessages - 1, true},
      {27, kRejectAfterMessages, false},
      {28, kRejectAfterMessages - 1, false},
      {29, kRejectAfterMessages - 2, true},
      {30, kRejectAfterMessages + 1, false},
      {31, kRejectAfterMessages + 2, false},
      {32, kRejectAfterMessages - 2, false},
      {33, kRejectAfterMessages - 3, true},
      {34, 0, false},
  };
  ReplayWindow window(GetParam());
  for (const Row& row : rows) {
    SCOPED_TRACE(row.number);
    EXPECT_EQ(window.acceptable(row.counter), row.accepted);
    EXPECT_EQ(window.accept(row.counter), row.accepted);
  }
}

// The six loops at the table's end: whole windows upwards and downwards, and what lies just outside.
TEST_P(ReplayWindowOf, KernelRuns) {
  const std::uint64_t size = GetParam();
  struct Run {
    const char* rule;
    std::uint64_t first, last;  // counters, in this order
    std::vector<std::pair<std::uint64_t, bool>> then;
  };
  const Run runs[] = {
      {"a full window upwards leaves its oldest", 1, size, {{0, true}, {0, false}}},
      {"one further and only the second oldest is left", 2, size + 1, {{1, true}, {0, false}}},
      {"downwards to zero", size, 0, {}},
      {"downwards, zero is outside", size + 1, 1, {{0, false}}},
      {"downwards, then one up, zero is outside", size, 1, {{size + 1, true}, {0, false}}},
      {"downwards, zero, then one up", size, 1, {{0, true}, {size + 1, true}}},
  };
  for (const Run& run : runs) {
    SCOPED_TRACE(run.rule);
    ReplayWindow window(size);
    for (std::uint64_t counter = run.first;; run.first < run.last ? ++counter : --counter) {
      ASSERT_TRUE(window.accept(counter)) << counter;
      if (counter == run.last) break;
    }
    for (const auto& [counter, accepted] : run.then) EXPECT_EQ(window.accept(counter), accepted) << counter;
  }
}

TEST_P(ReplayWindowOf, AgreesWithASetOnRandomCounters) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    ReplayWindow window(GetParam());
    std::set<std::uint64_t> seen;
    std::uint64_t greatest = 0;
    for (int i = 0; i < 20000; ++i) {
      const std::uint32_t kind = random.u32() % 16;
      std::uint64_t counter = greatest + random.u32() % 3;
      if (kind < 8) counter = greatest - std::min<std::uint64_t>(greatest, random.u32() % (GetParam() + 70));
      if (kind == 15) counter = greatest + random.u32() % (3 * GetParam());
      const bool fresh = counter + GetParam() >= greatest && !seen.contains(counter);
      ASSERT_EQ(window.acceptable(counter), fresh) << counter << " of " << greatest;
      ASSERT_EQ(window.accept(counter), fresh) << counter << " of " << greatest;
      seen.insert(counter);
      greatest = std::max(greatest, counter);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles, ReplayWindowOf,
                         testing::Values(kPaperProfile.replay_window, kFirezoneProfile.replay_window));

}  // namespace
}  // namespace fireline::wireguard
