// The gateway forwards if and only if a live grant and its filters allow it, over random policies, grants, expiries and
// packets, against an oracle. RC_PARAMS in the environment gives another seed or number of stories; a failure prints
// both, and the shortest story that rapidcheck finds.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "tests/unit/core/tunnel/oracle/gateway_scenario.h"

namespace fireline::tunnel {
namespace {

using Choices = std::vector<std::uint8_t>;

constexpr std::size_t kChoicesMax = 800;

// As one value: a generator for each byte costs more than the story.
rc::Gen<Choices> any_choices() {
  return [](const rc::Random& random, int) {
    rc::Random source = random;
    Choices choices(source.next() % kChoicesMax);
    for (std::size_t i = 0; i < choices.size(); i += 8) {
      const std::uint64_t word = source.next();
      for (std::size_t j = i; j < std::min(i + 8, choices.size()); ++j) {
        choices[j] = static_cast<std::uint8_t>(word >> (j - i) * 8);
      }
    }
    return rc::shrinkable::shrinkRecur(std::move(choices),
                                       [](const Choices& longer) { return rc::shrink::removeChunks(longer); });
  };
}

TEST(GatewayProperty, ForwardsIfAndOnlyIfALiveGrantAndItsFiltersAllowIt) {
  setenv("RC_PARAMS", "seed=5 max_success=40000", 0);
  oracle::ScenarioCounts counts;
  const bool holds = rc::check([&] {
    const Choices choices = *any_choices();
    const auto difference = oracle::run_gateway_scenario(choices, counts);
    if (difference) RC_FAIL(*difference);
  });
  EXPECT_TRUE(holds);
  // The stories are about something.
  EXPECT_GT(counts.forwarded, counts.packets / 20);
  EXPECT_GT(counts.answered, counts.packets / 20);
  EXPECT_GT(counts.expired, 1000u);
  EXPECT_GT(counts.remembered, 1000u);
  RecordProperty("packets", std::to_string(counts.packets));
  RecordProperty("forwarded", std::to_string(counts.forwarded));
  RecordProperty("answered", std::to_string(counts.answered));
}

}  // namespace
}  // namespace fireline::tunnel
