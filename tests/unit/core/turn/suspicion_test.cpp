// What an ICMP error about a relay does: the relay alone is believed, and forged errors cost little.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/unit/core/turn/turn_fixture.h"

namespace fireline::turn {
namespace {
using ::testing::ElementsAre;

// Answers every request of the usual exchange `took` after it was sent; then ICMP says that nobody listens.
void allocate_slowly_and_suspect(Harness& h, Duration took) {
  h.advance(took);
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  h.advance(took);
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  h.allocation.suspect(h.now);
  h.drain();
  ASSERT_EQ(h.count(Method::refresh), 1u);
}

TEST(TurnTimers, TheSilenceOfASuspectedRelayIsBelievedAfterAFewOfItsRoundTrips) {
  const struct {
    std::string_view rule;
    Duration answers_took;
    Duration believed_after;
  } rows[] = {
      {"at least 250 ms: a busy relay may take that", 20ms, 250ms},
      {"four times what an answer takes", 150ms, 600ms},
      {"at most a second, as without the hint", 400ms, 1s},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    Harness h;
    allocate_slowly_and_suspect(h, row.answers_took);
    h.advance(row.believed_after - 1ns);
    EXPECT_EQ(h.discarded(), DiscardReason::none);
    h.advance(1ns);
    EXPECT_EQ(h.discarded(), DiscardReason::lost);
  }
}

TEST(TurnTimers, ASuspectedRelayThatIsHeardIsAskedInTheUsualWay) {
  Harness h;
  h.allocate();
  const std::uint16_t channel = h.bind(kPeer4);
  h.allocation.suspect(h.now);
  h.drain();
  h.advance(100ms);
  ASSERT_TRUE(h.receive_data(channel));
  h.advance(100ms);
  EXPECT_EQ(h.count(Method::refresh), 2u);
  h.sent.clear();
  h.advance(4s);
  EXPECT_EQ(h.discarded(), DiscardReason::none) << "the requests were lost, and what said so was wrong";
  EXPECT_EQ(h.count(Method::refresh), 3u) << "at 0.25, 1.25 and 2.75 s";
  while (h.count(Method::refresh) > 1) h.take(Method::refresh);
  ASSERT_TRUE(h.refreshed(h.take(Method::refresh)));
  h.advance(20s);
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
}

TEST(TurnTimers, ASuspectedRelayIsNotLostWithOneDatagram) {
  Harness h;
  h.allocate();
  h.allocation.suspect(h.now);
  h.drain();
  h.take(Method::refresh);
  h.advance(125ms);
  const SentRequest again = h.take(Method::refresh);
  h.advance(125ms - 1ns);
  ASSERT_TRUE(h.refreshed(again));
  h.advance(20s);
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
}

// A thread that stood still runs its timers before it reads the answer that waits.
TEST(TurnTimers, ASuspectedRelayIsNotLostWithALateTurn) {
  Harness h;
  h.allocate();
  h.allocation.suspect(h.now);
  h.drain();
  const SentRequest first = h.take(Method::refresh);
  h.now.boot += 260ms;
  h.run_timers();
  EXPECT_EQ(h.count(Method::refresh), 1u) << "the second datagram, after the whole time";
  ASSERT_EQ(h.allocation.state(), AllocationState::allocated);
  ASSERT_TRUE(h.refreshed(first));
  h.advance(20s);
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
}

// A second of a relay that answers at once.
void live(Harness& h) {
  for (int i = 0; i < 10; ++i) {
    for (const SentRequest& request : std::exchange(h.sent, {})) {
      EXPECT_TRUE(request.method() == Method::refresh ? h.refreshed(request) : h.bound(request, kMapped4));
    }
    h.advance(100ms);
  }
}

// Whoever forges errors has many tries; each that is followed is a chance to lose the relay.
TEST(TurnTimers, SuspicionsAreFollowedWithGrowingPauses) {
  Harness h;
  h.allocate();
  h.sent.clear();
  const auto suspect = [&] {
    const bool followed = h.allocation.suspect(h.now);
    h.drain();
    live(h);
    return followed;
  };
  std::vector<int> seconds;
  for (int second = 0; second < 3600; ++second) {
    if (suspect()) seconds.push_back(second);
  }
  EXPECT_THAT(seconds, ElementsAre(0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1624, 2225, 2826, 3427))
      << "the last four a second late: a Refresh was on its way";
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
  for (int second = 0; second < 20 * 60; ++second) live(h);
  EXPECT_TRUE(suspect());
  EXPECT_TRUE(suspect()) << "ten minutes without one, and they begin anew";
}

}  // namespace
}  // namespace fireline::turn
