// What an agent makes of the candidates that it is given and told, and what it signals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/ice/agent.h"
#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

using std::chrono::seconds;

constexpr Instant kNow = Instant{} + seconds(1);

struct RemoteRow {
  const char* rule;
  const char* text;
  RemoteOutcome outcome;
};

constexpr RemoteRow kRemotes[] = {
    {"an ordinary one", "candidate:1 1 udp 5 10.0.0.4 1 typ host ufrag nk46", RemoteOutcome::added},
    {"the same", "candidate:1 1 udp 5 10.0.0.4 1 typ host ufrag nk46", RemoteOutcome::known},
    {"without ufrag", "candidate:1 1 udp 5 10.0.0.5 1 typ host", RemoteOutcome::added},
    {"another component", "candidate:1 2 udp 5 10.0.0.6 1 typ host", RemoteOutcome::other_component},
    {"another transport", "candidate:1 1 tcp 5 10.0.0.6 9 typ host", RemoteOutcome::other_transport},
    {"of an earlier connection", "candidate:1 1 udp 5 10.0.0.6 1 typ host ufrag aaaa", RemoteOutcome::other_ufrag},
    {"multicast", "candidate:1 1 udp 5 224.0.0.1 1 typ host", RemoteOutcome::unusable_address},
    {"port 0", "candidate:1 1 udp 5 10.0.0.6 0 typ host", RemoteOutcome::unusable_address},
};

TEST(Agent, JudgesRemoteCandidates) {
  Side side(client_settings(), 1);
  for (const auto& row : kRemotes) {
    SCOPED_TRACE(row.rule);
    const auto text = CandidateText::parse(row.text);
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(side.agent.add_remote(kNow, *text), row.outcome);
  }
  EXPECT_EQ(side.agent.remote_candidates().size(), 2u);
}

TEST(Agent, OptimisticCandidatesAreAtMostTwoPerReceivedOne) {
  Side side(client_settings(), 1);
  side.agent.add_local(kNow, host("192.0.2.10:52625"));
  for (const char* const port : {"1", "2", "3", "4", "5"}) {
    side.agent.add_remote(kNow, announced(host("10.0.0.4:" + std::string(port))));
  }
  EXPECT_EQ(side.agent.pairs().size(), 5u);
  side.agent.add_remote(kNow, announced(reflexive("203.0.113.9:40000", "10.0.0.4:1")));
  EXPECT_EQ(side.agent.pairs().size(), 5u + 1 + 2);
}

TEST(Agent, SignalsWhatItAcceptedWithItsOwnPriority) {
  Side side(client_settings(), 1);
  const auto crossed = side.agent.add_local(kNow, relayed("192.0.2.100:50000", Family::v6));
  ASSERT_TRUE(crossed.has_value());
  EXPECT_EQ(crossed->priority, 37492479u) << "the penalty for crossing families is in the signalled string";
  EXPECT_TRUE(side.agent.add_local(kNow, host("10.0.0.4:52625")).has_value());
  EXPECT_FALSE(side.agent.add_local(kNow, host("10.0.0.4:52625")).has_value()) << "redundant";
  EXPECT_TRUE(side.agent.add_local(kNow, reflexive("203.0.113.9:40000", "10.0.0.4:52625")).has_value());
  std::vector<CandidateKind> kinds;
  side.agent.for_each_signalled([&](const Candidate& candidate) { kinds.push_back(candidate.kind); });
  EXPECT_THAT(kinds, testing::ElementsAre(CandidateKind::host, CandidateKind::server_reflexive, CandidateKind::relayed))
      << "all of them for an upsert, best first";
}

TEST(Agent, AReflexiveCandidateFoundLaterIsSignalled) {
  Side side(client_settings(), 1);
  side.agent.add_local(kNow, host("10.0.0.4:52625"));
  side.agent.add_remote(kNow, announced(host("198.51.100.7:52625")));
  side.drain(kNow);
  EXPECT_TRUE(side.agent.add_local(kNow, reflexive("203.0.113.9:40000", "10.0.0.4:52625")).has_value());
  EXPECT_EQ(side.agent.pairs().size(), 1u) << "and not paired";
}

TEST(Agent, NeitherSignalsWhatIsInvalidNorInvalidatesWhatWasNeverSignalled) {
  Side side(client_settings(), 1);
  const auto address = host("10.0.0.4:52625");
  EXPECT_FALSE(side.agent.invalidate_local(kNow, address).has_value());
  side.agent.add_local(kNow, address);
  const auto invalid = side.agent.invalidate_local(kNow, address);
  ASSERT_TRUE(invalid.has_value());
  EXPECT_EQ(invalid->priority, 2130706175u);
  EXPECT_TRUE(is_same_announcement(*invalid, address));
  int count = 0;
  side.agent.for_each_signalled([&](const Candidate&) { ++count; });
  EXPECT_EQ(count, 0);
  const auto back = side.agent.add_local(kNow, address);
  ASSERT_TRUE(back.has_value()) << "signalled again";
  EXPECT_EQ(back->priority, 2130706175u);
}

TEST(Agent, AReflexiveAddressThatIsGoneIsToldToEveryPeer) {
  Side side(client_settings(), 1);
  const auto gone = side.agent.invalidate_local(kNow, reflexive("203.0.113.9:40000", "10.0.0.4:52625"));
  ASSERT_TRUE(gone.has_value());
  EXPECT_EQ(gone->priority, 1694498559u);
}

TEST(Agent, NominationInvalidatesNothing) {
  VirtualNetwork net;
  net.add(net.client, {host("10.0.0.4:52625"), reflexive("203.0.113.9:40000", "10.0.0.4:52625")});
  net.add(net.gateway, {host("198.51.100.7:52625")});
  net.run_for(seconds(5));
  ASSERT_TRUE(net.client.agent.path().has_value());
  int count = 0;
  net.client.agent.for_each_signalled([&](const Candidate&) { ++count; });
  EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace fireline::ice
