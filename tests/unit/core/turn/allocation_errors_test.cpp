// What an allocation does about each error, and that no relay can keep it busy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/turn/turn_fixture.h"

namespace fireline::turn {
namespace {
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Just sent its first Allocate.
SentRequest first_allocate(Harness& h) {
  EXPECT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  h.events.clear();
  return h.take(Method::allocate);
}

// Sends a Refresh at half of the lifetime; keepalives are answered.
SentRequest next_refresh(Harness& h) {
  while (h.count(Method::refresh) == 0) {
    h.advance(5s);
    while (h.count(Method::binding) != 0) h.bound(h.take(Method::binding), kMapped4);
  }
  return h.take(Method::refresh);
}

std::vector<Event> relayed_gone() {
  return {invalidated(CandidateKind::relayed, kRelayed4, kRelayed4),
          invalidated(CandidateKind::relayed, kRelayed6, kRelayed6)};
}

TEST(TurnErrors, WrongCredentialsAreNeverRetried) {
  Harness h;
  ASSERT_TRUE(h.fail(first_allocate(h), 401, kNonce));
  ASSERT_TRUE(h.fail(h.take(Method::allocate), 401, kOtherNonce)) << "401 although a NONCE was sent";
  EXPECT_EQ(h.discarded(), DiscardReason::authentication);
  EXPECT_EQ(h.allocation.state(), AllocationState::discarded);
  h.sent.clear();
  h.advance(1h);
  h.allocation.refresh(h.now);
  h.allocation.bind(h.now, kPeer4);
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt);
  h.run_timers();
  EXPECT_THAT(h.sent, IsEmpty());
  EXPECT_EQ(h.allocation.poll_timeout(), std::nullopt);
}

TEST(TurnErrors, CredentialsThatExpireMidSessionDiscardTheRelay) {
  Harness h;
  h.allocate();
  ASSERT_TRUE(h.fail(next_refresh(h), 401, kOtherNonce));
  auto expected = relayed_gone();
  expected.push_back({.kind = EventKind::discarded, .candidate = {}, .reason = DiscardReason::authentication});
  EXPECT_EQ(h.events, expected);
}

TEST(TurnErrors, StaleNonceIsReplacedAndTheRequestSentAgain) {
  Harness h;
  h.allocate();
  const SentRequest refresh = next_refresh(h);
  ASSERT_TRUE(h.fail(refresh, 438, kOtherNonce));
  const SentRequest again = h.take(Method::refresh);
  EXPECT_EQ(again.view().find_text(Attribute::nonce), kOtherNonce);
  EXPECT_NE(again.view().transaction_id(), refresh.view().transaction_id());
  EXPECT_TRUE(h.refreshed(again));
}

TEST(TurnErrors, AStaleNonceAnswerWithoutNonceKeepsTheOldOne) {
  Harness h;
  h.allocate();
  ASSERT_TRUE(h.fail(next_refresh(h), 438));
  EXPECT_EQ(h.take(Method::refresh).view().find_text(Attribute::nonce), kNonce);
}

TEST(TurnErrors, AChallengedRequestHasAFreshBudget) {
  Harness h;
  const SentRequest first = first_allocate(h);
  h.advance(900ms);
  ASSERT_TRUE(h.fail(first, 401, kNonce));
  EXPECT_EQ(h.count(Method::allocate), 1u);
  h.advance(999ms);
  EXPECT_EQ(h.count(Method::allocate), 1u);
  h.advance(1ms);
  EXPECT_EQ(h.count(Method::allocate), 2u);
}

TEST(TurnErrors, AnotherRealmIsGivenUpInSilence) {
  Harness h;
  ASSERT_TRUE(h.fail(first_allocate(h), 401, kNonce, "example.org"));
  EXPECT_EQ(h.count(Method::allocate), 0u);
  EXPECT_EQ(h.counted(TurnCounter::drop_other_realm), 1u);
  EXPECT_THAT(h.events, IsEmpty());
  EXPECT_EQ(h.allocation.state(), AllocationState::suspended);
}

TEST(TurnErrors, AMissingRealmIsOurs) {
  Harness h;
  ASSERT_TRUE(h.answer(first_allocate(h), MessageClass::error, [](stun::MessageWriter& writer) {
    writer.add_error_code(401, "");
    writer.add_text(Attribute::nonce, kNonce);
  }));
  EXPECT_EQ(h.count(Method::allocate), 1u);
}

TEST(TurnErrors, AnotherRealmForAChannelForgetsTheChannel) {
  Harness h;
  h.allocate();
  h.allocation.bind(h.now, kPeer4);
  h.drain();
  ASSERT_TRUE(h.fail(h.take(Method::channel_bind), 438, kNonce, "example.org"));
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt);
}

TEST(TurnErrors, EndlessChallengesAreGivenUp) {
  for (const std::string_view nonce : {std::string_view(), kOtherNonce}) {
    Harness h;
    const std::uint16_t code = nonce.empty() ? 401 : 438;  // 401 without NONCE leaves us without one as well
    SentRequest request = first_allocate(h);
    int sent = 1;
    for (; sent < 100; ++sent) {
      ASSERT_TRUE(h.fail(request, code, nonce));
      if (h.count(Method::allocate) == 0) break;
      request = h.take(Method::allocate);
    }
    EXPECT_EQ(sent, kChallengesMax);
    EXPECT_EQ(h.counted(TurnCounter::error_repeated), 1u);
    EXPECT_EQ(h.allocation.state(), AllocationState::suspended);
  }
}

TEST(TurnErrors, Mismatch437OnAllocateRemovesAndThenAllocates) {
  Harness h;
  ASSERT_TRUE(h.fail(first_allocate(h), 401, kNonce));
  ASSERT_TRUE(h.fail(h.take(Method::allocate), 437));
  const SentRequest remove = h.take(Method::refresh);
  EXPECT_TRUE(remove.removes());
  EXPECT_EQ(h.count(Method::allocate), 0u) << "not before the relay has removed";
  ASSERT_TRUE(h.refreshed(remove, 0));
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
}

TEST(TurnErrors, Mismatch437OnRefreshInvalidatesAndAllocates) {
  Harness h;
  h.allocate();
  h.bind(kPeer4);
  ASSERT_TRUE(h.fail(next_refresh(h), 437));
  EXPECT_EQ(h.events, relayed_gone());
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt) << "channels are gone";
  h.drain();
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  EXPECT_EQ(h.take(Method::channel_bind).view().find_xor_address(Attribute::xor_peer_address), kPeer4)
      << "on demand: it was asked for meanwhile";
}

TEST(TurnErrors, Mismatch437OnRemovingAllocates) {
  Harness h;
  ASSERT_TRUE(h.fail(first_allocate(h), 437));
  ASSERT_TRUE(h.fail(h.take(Method::refresh), 437));
  EXPECT_EQ(h.count(Method::allocate), 1u);
}

TEST(TurnErrors, Mismatch437OnChannelBindAllocatesAndRequeuesThatPeerAlone) {
  Harness h;
  h.allocate();
  h.allocation.bind(h.now, kPeer4);
  h.allocation.bind(h.now, kPeer6);
  h.drain();
  const SentRequest first = h.take(Method::channel_bind);
  const SentRequest second = h.take(Method::channel_bind);
  ASSERT_TRUE(h.fail(first, 437));
  EXPECT_EQ(h.events, relayed_gone());
  EXPECT_FALSE(h.fail(second, 437)) << "other binds in flight are forgotten";
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  ASSERT_EQ(h.count(Method::channel_bind), 1u);
  EXPECT_EQ(h.take(Method::channel_bind).view().find_xor_address(Attribute::xor_peer_address), kPeer4);
}

TEST(TurnErrors, EndlessMismatchesAreGivenUp) {
  Harness h;
  SentRequest request = first_allocate(h);
  int rounds = 0;
  for (; rounds < 100; ++rounds) {
    ASSERT_TRUE(h.fail(request, 437));
    if (h.count(Method::refresh) == 0) break;
    ASSERT_TRUE(h.refreshed(h.take(Method::refresh), 0));
    request = h.take(Method::allocate);
  }
  EXPECT_EQ(rounds, kResyncsMax);
  EXPECT_EQ(h.allocation.state(), AllocationState::suspended);
  h.advance(kResyncWindow);
  h.allocation.refresh(h.now);
  h.drain();
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  ASSERT_TRUE(h.fail(h.take(Method::allocate), 437));
  EXPECT_EQ(h.count(Method::refresh), 1u) << "a new window, a new chance";
}

TEST(TurnErrors, Fails420Cleanly) {
  Harness h;
  h.allocate();
  h.allocation.bind(h.now, kPeer4);
  h.drain();
  ASSERT_TRUE(h.fail(h.take(Method::channel_bind), 420));
  EXPECT_EQ(h.discarded(), DiscardReason::protocol);
}

TEST(TurnErrors, AnotherErrorOnAllocateClearsTheWaitingPeersAndSuspends) {
  Harness h;
  const SentRequest allocate = first_allocate(h);
  h.allocation.bind(h.now, kPeer4);
  EXPECT_EQ(h.allocation.status(h.now).waiting_peers, 1u);
  ASSERT_TRUE(h.fail(allocate, 508));
  EXPECT_EQ(h.allocation.status(h.now).waiting_peers, 0u);
  EXPECT_EQ(h.allocation.state(), AllocationState::suspended);
  EXPECT_EQ(h.discarded(), DiscardReason::none);
  EXPECT_EQ(h.allocation.poll_timeout(), std::nullopt) << "nothing to wait for";
}

TEST(TurnErrors, AnotherErrorOnChannelBindForgetsThatChannel) {
  Harness h;
  h.allocate();
  h.allocation.bind(h.now, kPeer4);
  h.drain();
  ASSERT_TRUE(h.fail(h.take(Method::channel_bind), 400));
  EXPECT_THAT(h.events, IsEmpty());
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt);
  h.drain();
  EXPECT_EQ(h.take(Method::channel_bind).view().find_channel_number(), 0x4001) << "on demand, another number";
}

TEST(TurnErrors, AFailedRefreshIsTheLossOfTheAllocationAtOnce) {
  Harness h;
  h.allocate();
  ASSERT_TRUE(h.fail(next_refresh(h), 500));
  EXPECT_EQ(h.events, relayed_gone());
  EXPECT_EQ(h.count(Method::allocate), 1u);
}

TEST(TurnErrors, AnErrorWithoutCodeIsAnotherError) {
  Harness h;
  ASSERT_TRUE(h.answer(first_allocate(h), MessageClass::error, {}));
  EXPECT_EQ(h.counted(TurnCounter::error_other), 1u);
  EXPECT_EQ(h.allocation.state(), AllocationState::suspended);
}

TEST(TurnErrors, ARefreshAnsweredWithLifetimeZeroLosesTheAllocation) {
  Harness h;
  h.allocate();
  ASSERT_TRUE(h.refreshed(next_refresh(h), 0));
  EXPECT_EQ(h.events, relayed_gone());
  EXPECT_EQ(h.count(Method::allocate), 1u);
}

TEST(TurnErrors, ARefreshAnsweredWithoutLifetimeKeepsTheOldEnd) {
  Harness h;
  h.allocate();
  const Instant expires = h.allocation.status(h.now).expires.value();
  ASSERT_TRUE(h.succeed(next_refresh(h)));
  EXPECT_EQ(h.counted(TurnCounter::drop_unusable), 1u);
  EXPECT_EQ(h.allocation.status(h.now).expires, expires);
  EXPECT_EQ(h.count(Method::refresh), 0u);
}

}  // namespace
}  // namespace fireline::turn
