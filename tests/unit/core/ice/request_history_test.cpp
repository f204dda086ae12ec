// The rule for a pair's next request and for its failure.
#include "core/ice/request_history.h"

#include <gtest/gtest.h>

#include <optional>

namespace fireline::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Instant ms(int time) {
  return Instant{} + milliseconds(time);
}

struct Clock {
  // Sends as due until `count` requests are out; returns the time of the last one.
  int send(int count) {
    for (int i = 0; i < count; ++i) {
      history.record(ms(time), ++id, timing);
      last = time;
      time = due();
    }
    return last;
  }
  int due() const {
    return static_cast<int>(
        std::chrono::duration_cast<milliseconds>(history.next(ms(last), timing).time_since_epoch()).count());
  }
  // Sends as due and answers each request after 20 ms.
  void send_answered(int count) {
    for (int i = 0; i < count; ++i) {
      send(1);
      EXPECT_EQ(history.answer(ms(last + 20), id), milliseconds(20));
      time = static_cast<int>(
          std::chrono::duration_cast<milliseconds>(history.next(ms(last + 20), timing).time_since_epoch()).count());
    }
  }
  RequestHistory history;
  Timing timing = kControllingActive;
  RequestId id = 0;
  int time = 0;
  int last = 0;
};

TEST(RequestHistory, NothingSentIsDueAtOnce) {
  EXPECT_EQ(RequestHistory().next(ms(5), kControllingActive), ms(5));
  EXPECT_EQ(RequestHistory().fails_at(kControllingActive), std::nullopt);
  EXPECT_EQ(RequestHistory().unanswered(), 0u);
}

TEST(RequestHistory, APairThatIsNeverAnsweredFailsAfterTheTimeout) {
  Clock clock;
  EXPECT_EQ(clock.send(11), 12250);
  EXPECT_EQ(clock.history.fails_at(clock.timing), std::nullopt) << "one may still be sent";
  EXPECT_EQ(clock.send(1), 13750);
  EXPECT_EQ(clock.history.fails_at(clock.timing), ms(15250));
}

TEST(RequestHistory, OfTheGatewayTakesTenMinutes) {
  Clock clock;
  clock.timing = kControlledActive;
  EXPECT_EQ(clock.send(45), 585750);
  EXPECT_EQ(clock.history.fails_at(clock.timing), ms(600750));
}

TEST(RequestHistory, AHealthyPairIsCheckedEveryMaxRto) {
  Clock clock;
  clock.send_answered(20);
  EXPECT_EQ(clock.time - clock.last, 1500);
  EXPECT_EQ(clock.history.unanswered(), 0u);
}

TEST(RequestHistory, APairThatStopsAnsweringIsProbedFromTheInitialRtoAgain) {
  Clock clock;
  clock.send_answered(20);
  const int first = clock.time;
  EXPECT_EQ(clock.send(1), first);
  EXPECT_EQ(clock.time - first, 1500) << "its answer may still be under way";
  EXPECT_EQ(clock.send(1), first + 1500);
  EXPECT_EQ(clock.send(1), first + 2000) << "two are missing: 500 ms";
  EXPECT_EQ(clock.send(1), first + 3000) << "three: 1 s";
  EXPECT_EQ(clock.send(1), first + 4500);
}

TEST(RequestHistory, AnAnswerEndsTheSilence) {
  Clock clock;
  clock.send(12);
  EXPECT_TRUE(clock.history.fails_at(clock.timing).has_value());
  EXPECT_TRUE(clock.history.answer(ms(14000), clock.id).has_value());
  EXPECT_EQ(clock.history.fails_at(clock.timing), std::nullopt);
}

TEST(RequestHistory, AnAnswerToAnOlderRequestCountsThoseAfterItAsMissing) {
  Clock clock;
  clock.send(6);
  EXPECT_TRUE(clock.history.answer(ms(6000), 2).has_value());
  EXPECT_EQ(clock.history.unanswered(), 4u);
}

TEST(RequestHistory, OnlyAsManyRequestsAreKnownAsAreKept) {
  Clock clock;
  clock.send(13);
  EXPECT_FALSE(clock.history.has(1));
  EXPECT_TRUE(clock.history.has(2));
  EXPECT_TRUE(clock.history.has(13));
  EXPECT_FALSE(clock.history.answer(ms(20000), 1).has_value());
}

TEST(RequestHistory, IsNeverDueLaterThanMaxRtoFromNow) {
  Clock clock;
  clock.timing = kControllingIdle;
  clock.send_answered(4);
  EXPECT_EQ(clock.time - clock.last, 25000);
  clock.timing = kControlledActive;
  EXPECT_LE(clock.history.next(ms(clock.last + 20), clock.timing), ms(clock.last + 20) + seconds(15));
}

TEST(RequestHistory, AShorterMemoryDropsTheOldest) {
  Clock clock;
  clock.timing = kControlledActive;
  clock.send_answered(44);
  clock.send(1);
  clock.timing = kControllingIdle;
  clock.send(1);
  EXPECT_FALSE(clock.history.has(42));
  EXPECT_TRUE(clock.history.has(43));
  EXPECT_EQ(clock.history.unanswered(), 2u);
}

}  // namespace
}  // namespace fireline::ice
