// Silence, keepalive, refresh, expiry and suspension on the virtual clock. Harness::advance_to checks with every step
// that no timer is repeated without progress.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/turn/turn_fixture.h"

namespace fireline::turn {
namespace {
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Duration> sent_after(const Harness& h, Instant start) {
  std::vector<Duration> times;
  for (const auto& request : h.sent) times.push_back(request.at - start);
  return times;
}

// Answers everything as a healthy relay would, second by second.
void live(Harness& h, Duration time) {
  for (const Instant end = h.now.boot + time; h.now.boot < end;) {
    h.advance(std::min<Duration>(1s, end - h.now.boot));
    while (h.count(Method::binding) != 0) h.bound(h.take(Method::binding), kMapped4);
    while (h.count(Method::refresh) != 0) h.refreshed(h.take(Method::refresh));
    while (h.count(Method::channel_bind) != 0) h.succeed(h.take(Method::channel_bind));
  }
}

TEST(TurnTimers, ARelayThatNeverAnswersIsDiscardedAfter8_125Seconds) {
  Harness h(both_servers());
  const Instant start = h.now.boot;
  h.advance(8125ms - 1ns);
  EXPECT_THAT(sent_after(h, start), ElementsAre(0ms, 0ms, 1000ms, 1000ms, 2500ms, 2500ms, 4750ms, 4750ms));
  EXPECT_THAT(h.events, IsEmpty());
  h.advance(1ns);
  EXPECT_EQ(h.discarded(), DiscardReason::no_response);
  EXPECT_EQ(h.allocation.poll_timeout(), std::nullopt);
}

TEST(TurnTimers, OneSilentFamilyDoesNotHurtTheOther) {
  Harness h(both_servers());
  h.allocate();
  live(h, 30s);
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
}

TEST(TurnTimers, NoServerAddressAtAllIsDiscardedAtOnce) {
  Harness h(RelayAddresses{});
  EXPECT_EQ(h.discarded(), DiscardReason::no_response);
}

TEST(TurnTimers, ACheckIsAKeepaliveAtOnceAndOneAtATime) {
  Harness relay;
  relay.allocation.check(relay.now);
  relay.drain();
  EXPECT_EQ(relay.count(Method::binding), 1u) << "the first one is on its way";
  relay.allocate();
  relay.allocation.check(relay.now);
  relay.allocation.check(relay.now);
  relay.drain();
  ASSERT_EQ(relay.count(Method::binding), 1u);
  relay.advance(8125ms);
  EXPECT_EQ(relay.discarded(), DiscardReason::lost) << "silence ends it after the usual retransmissions";
}

TEST(TurnTimers, ACheckFindsARelayThatAnswersAndKnowsNoAllocation) {
  Harness relay;
  relay.allocate();
  relay.allocation.check(relay.now);
  relay.drain();
  ASSERT_TRUE(relay.bound(relay.take(Method::binding), kMapped4));
  ASSERT_TRUE(relay.fail(relay.take(Method::refresh), 437));
  relay.drain();
  ASSERT_TRUE(relay.allocated(relay.take(Method::allocate)));
}

TEST(TurnTimers, ALostCheckDoesNotEndARelayThatIsHeard) {
  Harness relay;
  relay.allocate();
  const std::uint16_t channel = relay.bind(kPeer4);
  relay.allocation.check(relay.now);
  relay.drain();
  for (int i = 0; i < 8; ++i) {  // whatever asks is lost each time, data is not
    relay.advance(1s);
    EXPECT_TRUE(relay.receive_data(channel));
  }
  relay.sent.clear();
  relay.advance(1s);
  EXPECT_EQ(relay.counted(TurnCounter::requests_given_up), 2u);
  ASSERT_EQ(relay.allocation.state(), AllocationState::allocated);
  ASSERT_TRUE(relay.fail(relay.take(Method::refresh), 437)) << "asked again at once: it may know no allocation";
  ASSERT_TRUE(relay.allocated(relay.take(Method::allocate)));
}

TEST(TurnTimers, BindingKeepaliveEvery25Seconds) {
  Harness h;
  h.allocate();
  const Instant start = h.now.boot;
  std::vector<Duration> times;
  for (int i = 0; i < 4; ++i) {
    while (h.count(Method::binding) == 0) h.advance(100ms);
    const SentRequest keepalive = h.take(Method::binding);
    EXPECT_EQ(keepalive.destination, kServer4);
    times.push_back(keepalive.at - start);
    ASSERT_TRUE(h.bound(keepalive, kMapped4));
  }
  EXPECT_THAT(times, ElementsAre(25s, 50s, 75s, 100s));
}

TEST(TurnTimers, TheAddressOfTheOtherFamilyIsKeptAsWellOnceItAnswered) {
  struct Row {
    const char* rule;
    bool answers;
    std::size_t asked;  // in a minute
  };
  constexpr Row kRows[] = {{"it answered: its mapping is known to peers", true, 2}, {"it never did", false, 0}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    Harness h(both_servers());
    const SentRequest v4 = h.take(Method::binding);
    const SentRequest v6 = h.take(Method::binding);
    ASSERT_TRUE(h.bound(v4, kMapped4));
    ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
    if (row.answers) {
      ASSERT_TRUE(h.bound(v6, kMapped6));
    }
    std::size_t asked = 0;
    h.advance(10s);
    h.sent.clear();  // what was repeated without an answer
    for (int i = 0; i < 50; ++i) {
      h.advance(1s);
      while (h.count(Method::binding) != 0) {
        const SentRequest request = h.take(Method::binding);
        const bool other = request.destination == kServer6;
        asked += other;
        ASSERT_TRUE(h.bound(request, other ? kMapped6 : kMapped4));
      }
    }
    EXPECT_EQ(asked, row.asked);
  }
}

TEST(TurnTimers, AChangedMappingOfTheOtherFamilyIsToldAndCostsNothingElse) {
  Harness h(both_servers());
  h.allocate();
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped6));
  h.events.clear();
  h.advance(25s);
  const SentRequest first = h.take(Method::binding);
  const SentRequest second = h.take(Method::binding);
  const SentRequest& other = first.destination == kServer6 ? first : second;
  const Endpoint moved = endpoint("[2001:db8::2]:40001");
  ASSERT_TRUE(h.bound(other, moved));
  EXPECT_EQ(h.count(Method::refresh), 0u) << "the allocation belongs to the address in use";
  ASSERT_EQ(h.events.size(), 2u);
  EXPECT_EQ(h.events[0].candidate.address, moved) << "announced before its predecessor is invalidated";
  EXPECT_EQ(h.events[1].candidate.address, kMapped6);
}

TEST(TurnTimers, NoKeepaliveWithoutAnAllocation) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  ASSERT_TRUE(h.fail(h.take(Method::allocate), 508));
  h.advance(10min);
  EXPECT_THAT(h.sent, IsEmpty());
}

TEST(TurnTimers, ASilentlyDeadRelayIsNoticed33_125SecondsAfterItsLastAnswer) {
  Harness h;
  h.allocate();
  h.advance(33125ms - 1ns);
  EXPECT_THAT(h.events, IsEmpty());
  h.advance(1ns);
  EXPECT_THAT(h.events,
              ElementsAre(invalidated(CandidateKind::relayed, kRelayed4, kRelayed4),
                          invalidated(CandidateKind::relayed, kRelayed6, kRelayed6),
                          Event{.kind = EventKind::discarded, .candidate = {}, .reason = DiscardReason::lost}));
}

TEST(TurnTimers, ADeadRelayIsNoticedEvenWhenChannelDataKeepsBeingSent) {
  Harness h;
  h.allocate();
  h.bind(kPeer4);
  for (int i = 0; i < 331; ++i) {
    EXPECT_TRUE(h.allocation.channel_for(h.now, kPeer4));
    h.advance(100ms);
  }
  EXPECT_EQ(h.discarded(), DiscardReason::none);
  h.advance(25ms);
  EXPECT_EQ(h.discarded(), DiscardReason::lost);
}

TEST(TurnTimers, ChannelDataCountsAsKeepalive) {
  Harness h;
  h.allocate();
  const std::uint16_t channel = h.bind(kPeer4);
  for (int i = 0; i < 280; ++i) {
    EXPECT_TRUE(h.allocation.channel_for(h.now, kPeer4));
    EXPECT_TRUE(h.receive_data(channel));
    h.advance(1s);
  }
  EXPECT_EQ(h.count(Method::binding), 0u);
}

TEST(TurnTimers, DataInOneDirectionAloneKeepsNoNatBinding) {
  Harness h;
  h.allocate();
  const std::uint16_t channel = h.bind(kPeer4);
  for (int i = 0; i < 25; ++i) {
    EXPECT_TRUE(h.receive_data(channel));
    h.advance(1s);
  }
  EXPECT_EQ(h.count(Method::binding), 1u);
}

TEST(TurnTimers, LoadCannotFakeADeadRelay) {
  Harness h;
  h.allocate();
  const std::uint16_t channel = h.bind(kPeer4);
  h.advance(25s);
  for (int i = 0; i < 9; ++i) {  // the keepalive is lost each time, data is not
    h.advance(1s);
    EXPECT_TRUE(h.receive_data(channel));
  }
  EXPECT_EQ(h.counted(TurnCounter::requests_given_up), 1u);
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
}

TEST(TurnTimers, RefreshAtHalfOfTheGrantedLifetimeOneAtATime) {
  Harness h;
  h.allocate();
  live(h, 300s - 1ns);
  h.sent.clear();
  const Instant start = h.now.boot;
  h.advance(8s);
  std::vector<Duration> times;
  for (const auto& request : h.sent) {
    if (request.method() == Method::refresh) times.push_back(request.at - start);
  }
  EXPECT_THAT(times, ElementsAre(1ns, 1s + 1ns, 2500ms + 1ns, 4750ms + 1ns)) << "one request and its retransmissions";
}

TEST(TurnTimers, ARefreshExtendsTheLifetime) {
  Harness h;
  h.allocate();
  live(h, 30min);
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
  EXPECT_GT(h.allocation.status(h.now).expires, h.now.boot + 290s);
  EXPECT_THAT(h.events, IsEmpty());
}

TEST(TurnTimers, AChangedMappingIsFollowedByARefreshAtOnce) {
  Harness h(both_servers());
  const SentRequest v4 = h.take(Method::binding);
  const SentRequest v6 = h.take(Method::binding);
  ASSERT_TRUE(h.bound(v4, kMapped4));
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  ASSERT_TRUE(h.bound(v6, kMapped6));
  EXPECT_EQ(h.count(Method::refresh), 0u) << "the first address of the other family is no change";
  h.advance(25s);
  ASSERT_TRUE(h.bound(h.take(Method::binding), endpoint("198.51.100.9:40001")));
  EXPECT_EQ(h.count(Method::refresh), 1u);
}

TEST(TurnTimers, AnUnansweredRefreshIsTheLossOfTheRelay) {
  Harness h;
  h.allocate();
  h.allocation.refresh(h.now);
  h.drain();
  EXPECT_EQ(h.count(Method::refresh), 1u);
  h.advance(1s - 1ns);
  EXPECT_EQ(h.discarded(), DiscardReason::none);
  h.advance(1ns);
  EXPECT_EQ(h.discarded(), DiscardReason::lost) << "asked once, believed after one second";
}

TEST(TurnTimers, RefreshDoesNothingWhileAnAllocateOrRefreshIsOnItsWay) {
  Harness h;
  h.allocation.refresh(h.now);
  h.drain();
  EXPECT_EQ(h.sent.size(), 1u) << "the first Binding alone";
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  h.allocation.refresh(h.now);
  h.drain();
  EXPECT_EQ(h.sent.size(), 1u) << "the Allocate alone";
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  h.allocation.refresh(h.now);
  h.allocation.refresh(h.now);
  h.drain();
  EXPECT_EQ(h.count(Method::refresh), 1u);
}

TEST(TurnTimers, ExpiryInvalidatesAndSuspends) {
  Harness h;
  h.allocate();
  h.now.boot += 600s;  // nobody ran timers: the machine was suspended
  h.run_timers();
  EXPECT_THAT(h.events, ElementsAre(invalidated(CandidateKind::relayed, kRelayed4, kRelayed4),
                                    invalidated(CandidateKind::relayed, kRelayed6, kRelayed6)));
  EXPECT_EQ(h.allocation.state(), AllocationState::suspended);
  EXPECT_EQ(h.allocation.poll_timeout(), std::nullopt);
}

TEST(TurnTimers, ALifetimeOfZeroExpiresAtOnceAndDoesNotSpin) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  ASSERT_TRUE(h.allocated(h.take(Method::allocate), 0));
  h.run_timers();
  EXPECT_EQ(h.allocation.state(), AllocationState::suspended);
}

TEST(TurnTimers, RefreshRestartsASuspendedAllocationFromTheFirstStep) {
  Harness h(both_servers());
  h.allocate();
  h.advance(10s);  // the IPv6 Binding is given up
  h.now.boot += 600s;
  h.run_timers();
  ASSERT_EQ(h.allocation.state(), AllocationState::suspended);
  h.sent.clear();
  h.events.clear();
  h.allocation.refresh(h.now);
  h.drain();
  EXPECT_EQ(h.allocation.state(), AllocationState::starting);
  EXPECT_EQ(h.count(Method::binding), 2u);
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::relayed, kRelayed4, kRelayed4),
                                    added(CandidateKind::relayed, kRelayed6, kRelayed6)))
      << "host and server-reflexive ones were kept";
}

TEST(TurnTimers, RefreshAfterTheLifetimeStartsAnewThoughNoTimerRan) {
  Harness h;
  h.allocate();
  h.now.boot += 600s;
  h.sent.clear();
  h.allocation.refresh(h.now);
  h.drain();
  h.run_timers();
  EXPECT_EQ(h.allocation.state(), AllocationState::starting);
  EXPECT_EQ(h.count(Method::binding), 1u);
  EXPECT_EQ(h.count(Method::refresh), 0u);
}

TEST(TurnTimers, ASuspendedAllocationBindsNothing) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  ASSERT_TRUE(h.fail(h.take(Method::allocate), 508));
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt);
  h.drain();
  EXPECT_THAT(h.sent, IsEmpty());
  EXPECT_EQ(h.counted(TurnCounter::bind_suspended), 1u);
  EXPECT_EQ(h.allocation.status(h.now).waiting_peers, 0u);
}

// A relay that answers some requests, at random, with what it likes.
TEST(TurnTimers, NoTimerIsRepeatedWithoutProgressWhateverTheRelayDoes) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Harness h(seed % 2 == 0 ? both_servers() : server_v4());
    std::mt19937_64 dice(seed);
    for (int step = 0; step < 300; ++step) {
      if (h.sent.empty() || dice() % 3 == 0) {
        h.advance(std::chrono::milliseconds(dice() % 20000));
      } else {
        const SentRequest request = h.sent.front();
        h.sent.erase(h.sent.begin());
        constexpr std::array<std::uint16_t, 7> kCodes{400, 401, 420, 437, 437, 438, 438};
        const auto choice = dice() % 8;
        if (request.method() == Method::binding) {
          if (choice != 0) h.bound(request, kMapped4);
        } else if (choice < 2) {
          h.fail(request, kCodes[dice() % kCodes.size()], kNonce);
        } else if (choice < 7) {
          h.allocated(request, dice() % 5 == 0 ? 0 : 600);
        }
      }
      h.events.clear();
      if (dice() % 4 == 0)
        h.allocation.bind(h.now, {.address = kPeer4.address, .port = std::uint16_t(dice()), .scope = 0});
      if (dice() % 16 == 0) h.allocation.refresh(h.now);
      if (dice() % 16 == 0) h.allocation.suspect(h.now);
      h.drain();
    }
  }
}

}  // namespace
}  // namespace fireline::turn
