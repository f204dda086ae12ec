#include "tools/common/human_duration.h"

#include <gtest/gtest.h>

#include <optional>

namespace fireline {
namespace {

using namespace std::chrono_literals;

struct Row {
  const char* text;
  std::optional<Duration> expected;
  const char* sentence;
};

TEST(HumanDuration, Rows) {
  const Row kRows[]{
      {"5m", 5min, "minutes"},
      {"1h", 1h, "hours"},
      {"30d", 720h, "days"},
      {"2weeks", 336h, "a word for the unit"},
      {"250ms", 250ms, "the smallest unit"},
      {"1h 30m", 90min, "several parts with a space"},
      {"1h30m", 90min, "several parts without one"},
      {" 1 hour  1 sec ", 1h + 1s, "spaces anywhere between"},
      {"0s", 0s, "nothing"},
      {"87600h", kHumanDurationMax, "the longest"},
      {"87601h", std::nullopt, "longer than the longest"},
      {"87600h 1s", std::nullopt, "longer in sum"},
      {"99999999999999999999s", std::nullopt, "no number that fits"},
      {"18446744073709551615w", std::nullopt, "a product that would not fit"},
      {"", std::nullopt, "empty"},
      {"  ", std::nullopt, "spaces alone"},
      {"5", std::nullopt, "no unit"},
      {"m", std::nullopt, "no number"},
      {"-5m", std::nullopt, "negative"},
      {"5x", std::nullopt, "an unknown unit"},
      {"5M", std::nullopt, "another case"},
      {"1.5h", std::nullopt, "a fraction"},
      {"5m,", std::nullopt, "something behind"},
  };
  for (const Row& row : kRows) EXPECT_EQ(parse_human_duration(row.text), row.expected) << row.sentence;
}

}  // namespace
}  // namespace fireline
