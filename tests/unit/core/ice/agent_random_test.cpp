// Two agents under random candidates, withdrawals, loss and changes of timing: limits hold all the time, no timer is
// busy (the network aborts), and once everything works again both have a path.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

constexpr std::uint64_t kSeeds = 150;
constexpr int kSteps = 60;

struct RandomRun {
  explicit RandomRun(std::uint64_t seed) : random(seed) {
    net.loses = [this](const Sent&) { return random.u32() % 100 < loss_percent; };
  }
  std::uint32_t below(std::uint32_t limit) { return random.u32() % limit; }
  Side& any_side() { return below(2) == 0 ? net.client : net.gateway; }

  // Few addresses, so that the same ones come and go.
  Candidate any_candidate(const Side& side) {
    const std::string net_part = &side == &net.client ? "1" : "2";
    const std::string last = std::to_string(1 + below(3));
    switch (below(4)) {
      case 0:
        return host("[2001:db8::" + net_part + ":" + last + "]:52625");
      case 1:
        return relayed("192.0." + net_part + "." + last + ":50000", below(2) == 0 ? Family::v4 : Family::v6);
      case 2:
        return reflexive("203.0." + net_part + "." + last + ":40000", "10.0." + net_part + "." + last + ":52625");
      default:
        return host("10.0." + net_part + "." + last + ":52625");
    }
  }

  void step() {
    Side& side = any_side();
    switch (below(8)) {
      case 0:
      case 1:
        net.add(side, {any_candidate(side)});
        break;
      case 2:
        net.add_silently(side, {any_candidate(side)});
        break;
      case 3:
        net.withdraw(side, any_candidate(side));
        break;
      case 4:
        net.set_timing(below(2) == 0 ? Pace::idle : Pace::active);
        break;
      case 5:
        loss_percent = below(3) * 50;
        break;
      default:
        net.run_for(std::chrono::milliseconds(below(8000)));
    }
    for (const Side* const one : {&net.client, &net.gateway}) check(one->agent);
  }

  void check(const Agent& agent) {
    EXPECT_LE(agent.pairs().size(), kPairsMax);
    EXPECT_TRUE(std::ranges::is_sorted(agent.pairs(), std::ranges::greater{}, &Pair::priority));
    for (const auto& pair : agent.pairs()) {
      const auto locals = agent.local_candidates();
      const auto local = std::ranges::find(locals, pair.local, &LocalCandidate::id);
      ASSERT_TRUE(local != locals.end() && local->is_paired() && local->candidate.address == pair.source);
      const auto remotes = agent.remote_candidates();
      const auto remote = std::ranges::find(remotes, pair.remote, &RemoteCandidate::id);
      ASSERT_TRUE(remote != remotes.end() && !remote->discarded && remote->candidate.address == pair.destination);
    }
    const bool nominated = std::ranges::any_of(agent.pairs(), &Pair::nominated);
    EXPECT_EQ(nominated, agent.state() == AgentState::connected || agent.state() == AgentState::completed);
    if (const Pair* const selected = agent.selected_pair()) {
      EXPECT_TRUE(selected->nominated);
    }
  }

  ScriptedRandom random;
  VirtualNetwork net;
  std::uint32_t loss_percent = 0;
};

TEST(AgentRandom, EndsWithAPathOnceEverythingWorks) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun run(seed);
    for (int i = 0; i < kSteps && !testing::Test::HasFatalFailure(); ++i) run.step();
    run.loss_percent = 0;
    run.net.set_timing(Pace::active);
    run.net.add(run.net.client, {host("10.0.1.99:52625")});
    run.net.add(run.net.gateway, {host("10.0.2.99:52625")});
    run.net.run_for(std::chrono::seconds(30));
    const auto ours = run.net.client.agent.path();
    const auto theirs = run.net.gateway.agent.path();
    ASSERT_TRUE(ours.has_value());
    ASSERT_TRUE(theirs.has_value());
    // What the gateway uses is a path that the client checks as well, so that its death is seen.
    const auto pairs = run.net.client.agent.pairs();
    EXPECT_TRUE(std::ranges::any_of(pairs, [&](const Pair& pair) {
      return pair.nominated && pair.source == theirs->destination && pair.destination == theirs->source;
    }));
  }
}

}  // namespace
}  // namespace fireline::ice
