#include "core/base/prefetch.h"

#include <gtest/gtest.h>

#include <memory>

namespace fireline {
namespace {

struct alignas(kCacheLineBytes) Line {
  std::byte bytes[kCacheLineBytes];
};

TEST(PrefetchHint, GuessesTheLineThatWasNotedLast) {
  const auto lines = std::make_unique<Line[]>(3);
  PrefetchHint hint;
  EXPECT_EQ(hint.guess<Line>(&lines[0]), nullptr) << "nothing was noted";
  hint.note(&lines[1]);
  EXPECT_EQ(hint.guess<Line>(&lines[0]), &lines[1]);
  hint.note(&lines[2]);
  EXPECT_EQ(hint.guess<Line>(&lines[0]), &lines[2]);
}

TEST(PrefetchHint, AGuessThatIsWrongIsOnlyPrefetched) {
  const auto lines = std::make_unique<Line[]>(2);
  PrefetchHint hint;
  hint.note(&lines[1]);
  const auto far_away = std::bit_cast<const void*>(std::bit_cast<std::uintptr_t>(&lines[0]) ^ std::uintptr_t{1} << 40);
  const Line* guess = hint.guess<Line>(far_away);
  EXPECT_NE(guess, &lines[1]) << "another window of the address space";
  prefetch_line(guess);
}

}  // namespace
}  // namespace fireline
