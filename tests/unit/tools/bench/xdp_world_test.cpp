// The frames and bindings that fireline-bench xdp measures: each pair of directions restores its frame, and each is
// counted as the direction that its row claims.
#include "tools/bench/xdp_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace fireline::bench {
namespace {

bool refused() {
  relay::XdpSettings settings;
  settings.binding_entries = 1;
  const auto probe = relay::XdpProgram::load(settings);
  return !probe && (probe.error().code == EPERM || probe.error().code == ENOSYS);
}

TEST(XdpWorld, EachPairBouncesAsWhatItIs) {
  if (refused()) GTEST_SKIP() << "the kernel refuses BPF";
  constexpr int kChannels = 3;
  std::set<xdp_outcome> seen;
  for (const auto& pair : kXdpPairs) {
    SCOPED_TRACE(relay::name_of(pair.first));
    const auto world = XdpWorld::make(pair, kChannels);
    ASSERT_TRUE(world.has_value()) << world.error();
    // Made once to and fro for each channel.
    const auto counts = world->program().counts();
    const std::uint64_t each = pair.first == pair.second ? 2 * kChannels : kChannels;
    EXPECT_EQ(counts.outcomes.at(pair.first).frames, each);
    EXPECT_EQ(counts.outcomes.at(pair.second).frames, each);
    EXPECT_EQ(world->first().size(), std::size_t{kChannels});
    EXPECT_NE(world->first()[0], world->first()[1]);
    seen.insert({pair.first, pair.second});

    const auto bounced = test_run(world->program().fd(), world->first()[0], 4);
    ASSERT_TRUE(bounced.has_value());
    EXPECT_EQ(bounced->frame, world->first()[0]);
  }
  EXPECT_EQ(seen.size(), std::size_t{xdp_first_pass}) << "all twelve directions";
}

TEST(XdpWorld, EachReasonHasAFrameThatGivesIt) {
  if (refused()) GTEST_SKIP() << "the kernel refuses BPF";
  const auto world = XdpReasonWorld::make();
  ASSERT_TRUE(world.has_value()) << world.error();
  std::set<xdp_outcome> seen;
  for (const auto& reason : world->reasons()) seen.insert(reason.outcome);
  // A setting gives pass_unknown, pass_channel_padding and drop_no_interface_address; nothing here gives the two
  // failures of the kernel.
  EXPECT_EQ(seen.size(), std::size_t{xdp_outcome_count} - std::size_t{xdp_first_pass} - 5);
}

}  // namespace
}  // namespace fireline::bench
