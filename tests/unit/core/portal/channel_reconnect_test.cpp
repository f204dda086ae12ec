// Portal specification 1.5, 1.7, 1.12: backoff, resolution, explicit reconnects, the queue.
#include <algorithm>

#include "tests/unit/core/portal/channel_fixture.h"

namespace fireline::portal {
namespace {

class ChannelReconnect : public ChannelFixture {
 protected:
  explicit ChannelReconnect(ChannelOptions options = {}) : ChannelFixture(std::move(options)) {}

  // A connection attempt that fails at once; the delay after it.
  Duration fail_once() {
    if (channel.state() != ChannelState::connecting) {
      channel.resolved(now, true);
      if (channel.state() == ChannelState::waiting) wait_for_timer();
    }
    EXPECT_EQ(channel.state(), ChannelState::connecting);
    channel.closed(now, "refused");
    actions();
    return delay;
  }
};

// Lessons 4 and 5.
TEST_F(ChannelReconnect, FirstAtOnceThenExponentially) {
  join();
  after(3600s);
  channel.closed(now, "gone");
  actions();
  EXPECT_EQ(delay, 0s);
  Duration interval = 500ms;
  for (int attempt = 0; attempt < 20; ++attempt) {
    const Duration waited = fail_once();
    EXPECT_GE(waited, interval / 2) << attempt;
    EXPECT_LE(waited, interval + interval / 2) << attempt;
    interval = std::min<Duration>(interval + interval / 2, 60s);
  }
  EXPECT_EQ(interval, Duration(60s));
}

TEST_F(ChannelReconnect, TheVeryFirstFailureIsRetriedAtOnceToo) {
  channel.start(now, login_url());
  EXPECT_EQ(fail_once(), 0s);
  EXPECT_GE(fail_once(), 250ms);
}

// A portal that accepts everybody and drops them again is not called in a loop.
TEST_F(ChannelReconnect, AConnectionThatDidNotLastGetsNoFreeAttempt) {
  join();
  after(kSettledAfter - 1ms);
  channel.closed(now, "gone");
  actions();
  EXPECT_GE(delay, 250ms);
  EXPECT_LE(delay, 750ms);
}

TEST_F(ChannelReconnect, TheHandshakeAloneDoesNotEndTheSeries) {
  channel.start(now, login_url());
  fail_once();
  fail_once();
  channel.resolved(now, true);
  wait_for_timer();
  channel.opened(now);
  channel.closed(now, "gone");
  actions();
  EXPECT_GE(delay, 375ms) << "the second interval";
}

TEST_F(ChannelReconnect, ServersMayNameTheDelay) {
  channel.start(now, login_url());
  fail_once();
  channel.resolved(now, true);
  channel.http_refused(now, 503, "", 7s);
  actions();
  EXPECT_EQ(delay, 7s);
  channel.resolved(now, true);
  EXPECT_EQ(wait_for_timer(), 7s);
  EXPECT_EQ(channel.state(), ChannelState::connecting);
}

// Zero, or a date that has passed by this host's clock, is no leave to ask without pause.
TEST_F(ChannelReconnect, ADelayOfNothingIsThatOfTheSeries) {
  channel.start(now, login_url());
  for (const Duration least : {0ms, 250ms, 375ms}) {
    channel.resolved(now, true);
    if (channel.state() == ChannelState::waiting) wait_for_timer();
    channel.http_refused(now, 503, "", 0s);
    actions();
    EXPECT_GE(delay, least);
  }
}

class ChannelGivesUp : public ChannelReconnect {
 protected:
  ChannelGivesUp() : ChannelReconnect({.role = Role::gateway, .give_up_after = kGiveUpAfter}) {}
};

// Lesson 4: a program that ran for days gets its fifteen minutes.
TEST_F(ChannelGivesUp, FifteenMinutesAfterTheFirstError) {
  join();
  after(72h);
  channel.closed(now, "gone");
  actions();
  const auto first_error = now.boot;
  while (channel.state() != ChannelState::ended) {
    channel.resolved(now, true);
    wait_for_timer();
    const auto attempt = now.boot;
    channel.closed(now, "refused");
    const auto lines = actions();
    if (channel.state() == ChannelState::ended) {
      EXPECT_EQ(lines.back(),
                "fatal: gave up after too many attempts: refused: does the portal run, and does the URL name it?");
      EXPECT_GT(attempt - first_error + 90s, kGiveUpAfter) << "the next attempt would have been later";
    }
    ASSERT_LE(attempt - first_error, kGiveUpAfter);
  }
}

TEST_F(ChannelGivesUp, AJoinBeginsANewSeries) {
  join();
  for (int outage = 0; outage < 3; ++outage) {
    after(10s);
    channel.closed(now, "gone");
    actions();
    const auto lost = now.boot;
    while (now.boot - lost < 10min) fail_once();
    channel.resolved(now, true);
    wait_for_timer();
    channel.opened(now);
    reply(static_cast<std::uint64_t>(outage) + 1);
    actions();
    EXPECT_EQ(channel.state(), ChannelState::joined);
  }
}

// Lesson 6.
// Whatever is heard of first behind a sleep of two days: the timer, addresses, news of the attempt, or the sleep.
TEST_F(ChannelGivesUp, TimeAsleepDoesNotCount) {
  enum class First : std::uint8_t { timer, resolution, handshake, frame, end_of_attempt, refusal, sleep };
  join();
  std::uint64_t ref = 0;
  for (const First first : {First::timer, First::resolution, First::handshake, First::frame, First::end_of_attempt,
                            First::refusal, First::sleep}) {
    SCOPED_TRACE(static_cast<int>(first));
    after(5s);
    channel.closed(now, "gone");
    fail_once();
    fail_once();
    if (first != First::timer && first != First::resolution && first != First::sleep) {
      channel.resolved(now, true);
      wait_for_timer();
    }
    if (first == First::frame) {
      channel.opened(now);
      ++ref;
    }
    after(48h);
    if (first == First::sleep) channel.resume(now);
    if (first == First::timer) channel.handle_timeout(now);
    if (first == First::resolution) channel.resolved(now, true);
    if (first == First::handshake) {
      channel.opened(now);
      ++ref;
    }
    if (first == First::frame) channel.text(now, write_push("gateway", "phx_error", "{}"));
    first == First::refusal ? channel.http_refused(now, 503, "busy") : channel.closed(now, "the network is down");
    actions();
    EXPECT_EQ(channel.state(), ChannelState::waiting);
    EXPECT_EQ(delay, 0s);
    channel.resolved(now, true);
    channel.opened(now);
    reply(++ref);
    actions();
    ASSERT_EQ(channel.state(), ChannelState::joined);
  }
}

TEST_F(ChannelReconnect, EveryLossAsksForTheAddressesAnew) {
  join();
  after(2s);
  channel.closed(now, "gone");
  EXPECT_EQ(actions(), (Lines{"drop", "lost: gone", "resolve portal.test"}));
  channel.handle_timeout(now);
  EXPECT_EQ(actions(), Lines{}) << "the answer is awaited";
  after(100ms);
  channel.resolved(now, true);
  EXPECT_EQ(actions(), Lines{"connect portal.test"});
}

// Lesson 6.
TEST_F(ChannelReconnect, AResolverThatDoesNotAnswerKeepsNobody) {
  join();
  after(2s);
  channel.closed(now, "gone");
  actions();
  EXPECT_EQ(wait_for_timer(), kResolvePatience);
  EXPECT_EQ(actions(), Lines{"connect portal.test"}) << "with the addresses known before";
}

// Offline at start is no reason to end.
TEST_F(ChannelReconnect, ANameThatDoesNotResolveIsTriedAgain) {
  channel.start(now, login_url());
  channel.resolved(now, false);
  EXPECT_EQ(actions(), (Lines{"resolve portal.test first", "lost: the portal's name does not resolve to an address",
                              "resolve portal.test first"}));
  EXPECT_EQ(delay, 0s);
  channel.resolved(now, false);
  EXPECT_EQ(actions().front(), "lost: the portal's name does not resolve to an address");
  EXPECT_GE(delay, 250ms);
  channel.resolved(now, true);
  wait_for_timer();
  EXPECT_EQ(actions(), Lines{"connect portal.test"});
}

TEST_F(ChannelReconnect, TheFirstResolutionHasALimitToo) {
  channel.start(now, login_url());
  EXPECT_EQ(wait_for_timer(), kFirstResolvePatience);
  EXPECT_EQ(channel.state(), ChannelState::waiting);
}

// The system's resolver answers behind a dead name server after some 5 s, at the start and behind a failure.
TEST_F(ChannelReconnect, AFirstAnswerThatTakesSixSecondsIsTaken) {
  channel.start(now, login_url());
  for (const bool usable : {false, true}) {
    EXPECT_EQ(actions().back(), "resolve portal.test first");
    after(6s);
    channel.handle_timeout(now);
    EXPECT_EQ(actions(), Lines{}) << "the question goes on";
    channel.resolved(now, usable);
  }
  EXPECT_EQ(actions().back(), "connect portal.test");
}

// Lessons 5 and 11.
TEST_F(ChannelReconnect, ExplicitlyWithAnotherKeyAtOnce) {
  join();
  after(2s);
  for (int i = 0; i < 12; ++i) {
    if (i > 0) fail_once();
    if (i == 0) channel.closed(now, "gone");
    actions();
  }
  channel.send(now, "a", "1");
  const std::string before = target;
  channel.reconnect(now, login_url("wss://portal.test/", 7));
  EXPECT_EQ(actions(), Lines{"connect portal.test"}) << "no delay, no resolution";
  EXPECT_NE(target, before);
  EXPECT_EQ(channel.waiting(), 0u);
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_abandoned), 1u);
  EXPECT_EQ(fail_once(), 0s) << "the series begins anew";
}

// Lesson 15: no relay is left, the same login fetches new ones.
TEST_F(ChannelReconnect, ExplicitlyWithTheSameKeyOnlyWhenJoined) {
  channel.start(now, login_url());
  channel.reconnect(now, login_url());
  EXPECT_EQ(actions(), Lines{"resolve portal.test first"}) << "resolving";
  channel.resolved(now, true);
  channel.reconnect(now, login_url());
  EXPECT_EQ(actions(), Lines{"connect portal.test"}) << "connecting";
  channel.opened(now);
  actions();
  channel.reconnect(now, login_url());
  EXPECT_EQ(actions(), Lines{}) << "joining";
  reply(0);
  actions();
  channel.reconnect(now, login_url());
  EXPECT_EQ(actions(), Lines{"connect portal.test"}) << "joined";
  channel.closed(now, "refused");
  actions();
  channel.reconnect(now, login_url());
  EXPECT_EQ(actions(), Lines{}) << "waiting";
}

// Lesson 5: nobody waits out a pause that began before the machine slept.
TEST_F(ChannelReconnect, BehindASleepAtOnce) {
  join();
  channel.closed(now, "gone");
  for (int attempt = 0; attempt < 20; ++attempt) fail_once();
  channel.resolved(now, true);
  wait_for_timer();
  channel.http_refused(now, 503, "busy", 3600s);
  actions();
  ASSERT_EQ(delay, 3600s);
  after(600s);
  channel.send(now, "waits", "{}");
  channel.resume(now);
  EXPECT_EQ(actions(), Lines{"connect portal.test"});
  channel.resume(now);
  EXPECT_EQ(actions(), Lines()) << "it is under way";
  EXPECT_EQ(fail_once(), 0s) << "a new series";
  EXPECT_LE(fail_once(), 750ms);
  EXPECT_EQ(channel.waiting(), 1u) << "what waits is sent";
}

TEST_F(ChannelReconnect, BehindASleepByWhatIsKnown) {
  channel.resume(now);
  EXPECT_EQ(actions(), Lines()) << "not started";
  channel.start(now, login_url());
  EXPECT_EQ(actions(), Lines{"resolve portal.test first"});
  channel.resume(now);
  EXPECT_EQ(actions(), Lines()) << "the name is asked for";
  channel.resolved(now, false);
  actions();
  ASSERT_EQ(channel.state(), ChannelState::waiting);
  channel.resume(now);
  EXPECT_EQ(actions(), Lines{"resolve portal.test first"});
  join();
  channel.resume(now);
  EXPECT_EQ(actions(), Lines{"connect portal.test"}) << "the earlier connection is forgotten, by others too";
  channel.stop(now, false);
  actions();
  channel.resume(now);
  EXPECT_EQ(actions(), Lines()) << "ended";
}

TEST_F(ChannelReconnect, ExplicitlyBeforeTheStartIsNothing) {
  channel.reconnect(now, login_url());
  channel.send(now, "a", "1");
  EXPECT_EQ(actions(), Lines{});
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_not_started), 1u);
}

TEST_F(ChannelReconnect, ExplicitlyWithoutAddressesResolves) {
  channel.start(now, login_url());
  actions();
  channel.reconnect(now, login_url("wss://portal.test/", 7));
  EXPECT_EQ(actions(), Lines{"resolve portal.test first"});
}

// Lesson 7.
TEST_F(ChannelReconnect, AMessageWhoseWriteFailedIsSentAgainInOrder) {
  join();
  after(2s);
  takes_writes = false;
  channel.send(now, "a", "1");
  channel.send(now, "b", "2");
  EXPECT_EQ(actions(), Lines{R"(send {"topic":"client","event":"a","payload":1,"ref":1})"});
  channel.closed(now, "gone");
  channel.resolved(now, true);
  takes_writes = true;
  channel.handle_timeout(now);
  channel.opened(now);
  actions();
  reply(3);
  EXPECT_EQ(actions(), (Lines{"joined", R"(send {"topic":"client","event":"a","payload":1,"ref":1})",
                              R"(send {"topic":"client","event":"b","payload":2,"ref":2})"}));
}

// Lesson 7.
TEST_F(ChannelReconnect, TheQueueIsBoundedAndTheNewestStays) {
  channel.start(now, login_url());
  for (std::size_t i = 0; i <= kWaitingMax; ++i) channel.send(now, "a", std::to_string(i));
  EXPECT_EQ(channel.waiting(), kWaitingMax + 1);
  channel.send(now, "a", "last");
  EXPECT_EQ(channel.waiting(), 1u);
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_overflow), kWaitingMax + 1);
}

TEST_F(ChannelReconnect, OverflowDoesNotCountWhatIsWithTheSocket) {
  join();
  takes_writes = false;
  for (std::size_t i = 0; i <= kBurstMax; ++i) channel.send(now, "a", std::to_string(i));
  EXPECT_EQ(actions().size(), 1u);
  channel.send(now, "a", "last");
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_overflow), kBurstMax);
  takes_writes = true;
  channel.written(now);
  EXPECT_EQ(actions(), Lines{R"(send {"topic":"client","event":"a","payload":last,"ref":4098})"});
  EXPECT_EQ(channel.counters().get(ChannelCounter::sent), 2u);
  EXPECT_EQ(channel.waiting(), 0u);
}

// As a gateway whose relay has gone tells each of its clients, before the socket says that it took the first.
TEST_F(ChannelReconnect, ABurstOnAJoinedChannelIsSentWholeAndInOrder) {
  join();
  takes_writes = false;
  constexpr std::size_t kClients = 1000;
  for (std::size_t i = 0; i < kClients; ++i) channel.send(now, "a", std::to_string(i));
  for (std::size_t i = 0; i < kClients; ++i) {
    const Lines lines = actions();
    ASSERT_EQ(lines.size(), 1u);
    ASSERT_NE(lines[0].find("\"payload\":" + std::to_string(i) + ","), std::string::npos);
    channel.written(now);
  }
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_overflow), 0u);
}

TEST_F(ChannelReconnect, DuplicatesDoNotQueue) {
  channel.start(now, login_url());
  struct Row {
    const char* rule;
    const char* event;
    const char* payload;
    std::size_t waiting;
  };
  const Row rows[] = {
      {"the first waits", "create_flow", "1", 1},
      {"another waits", "create_flow", "2", 2},
      {"the same again does not", "create_flow", "1", 2},
      {"a candidate", "broadcast_ice_candidates", "c", 3},
      {"the candidate is gone", "broadcast_invalidated_ice_candidates", "c", 4},
      {"and back: order matters between events", "broadcast_ice_candidates", "c", 5},
      {"twice back is once", "broadcast_ice_candidates", "c", 5},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    channel.send(now, row.event, row.payload);
    EXPECT_EQ(channel.waiting(), row.waiting);
  }
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_duplicate), 2u);
}

TEST_F(ChannelReconnect, WrittenWithoutATextIsNothing) {
  join();
  channel.written(now);
  EXPECT_EQ(actions(), Lines{});
  EXPECT_EQ(channel.counters().get(ChannelCounter::sent), 0u);
}

// Inputs of states that do not expect them change nothing.
TEST_F(ChannelReconnect, StrayInputsAreIgnored) {
  channel.resolved(now, true);
  channel.opened(now);
  channel.closed(now, "gone");
  channel.http_refused(now, 401, "");
  channel.handle_timeout(now);
  EXPECT_EQ(channel.state(), ChannelState::closed);
  join();
  channel.start(now, login_url());
  channel.opened(now);
  channel.http_refused(now, 401, "");
  channel.resolved(now, false);
  EXPECT_EQ(channel.state(), ChannelState::joined);
  EXPECT_EQ(actions(), Lines{});
}

}  // namespace
}  // namespace fireline::portal
