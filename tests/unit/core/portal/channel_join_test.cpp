// Portal specification 1.6, 1.8 to 1.11: joining, heartbeats, what is received, what is fatal.
#include "tests/unit/core/portal/channel_fixture.h"

namespace fireline::portal {
namespace {

using ::testing::Test;

class ChannelJoin : public ChannelFixture {};

TEST_F(ChannelJoin, FirstFramesOfAConversation) {
  channel.start(now, login_url());
  EXPECT_EQ(actions(), Lines{"resolve portal.test first"});
  channel.resolved(now, true);
  EXPECT_EQ(actions(), Lines{"connect portal.test"});
  EXPECT_TRUE(target.starts_with("/client/websocket?token=t0k&external_id=device&public_key=")) << target;
  channel.opened(now);
  EXPECT_EQ(actions(), Lines{R"(send {"topic":"client","event":"phx_join","payload":null,"ref":0})"});
  reply(0);
  push("init", R"({"interface":{}})");
  EXPECT_EQ(actions(), (Lines{"joined", R"(init {"interface":{}})"}));
  EXPECT_EQ(wait_for_timer(), kHeartbeatInterval);
  EXPECT_EQ(actions(), Lines{R"(send {"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})"});
  reply(1);
  EXPECT_EQ(actions(), Lines{});
  EXPECT_EQ(channel.state(), ChannelState::joined);
}

TEST_F(ChannelJoin, AddressesNeedNoResolution) {
  channel.start(now, login_url("ws://[::1]:8081"));
  EXPECT_EQ(actions(), Lines{"connect ::1"});
  channel.closed(now, "refused");
  EXPECT_EQ(actions(), (Lines{"drop", "lost: refused"}));
  EXPECT_EQ(wait_for_timer(), 0s);
  EXPECT_EQ(actions(), Lines{"connect ::1"});
}

// Lesson 1.
TEST_F(ChannelJoin, NothingIsSentBeforeTheAnswer) {
  channel.start(now, login_url());
  channel.send(now, "a", "1");
  channel.resolved(now, true);
  channel.opened(now);
  channel.send(now, "b", "2");
  after(4s);
  channel.handle_timeout(now);
  EXPECT_EQ(actions(), (Lines{"resolve portal.test first", "connect portal.test",
                              R"(send {"topic":"client","event":"phx_join","payload":null,"ref":1})"}));
  reply(1);
  EXPECT_EQ(actions(), (Lines{"joined", R"(send {"topic":"client","event":"a","payload":1,"ref":0})",
                              R"(send {"topic":"client","event":"b","payload":2,"ref":2})"}));
}

// Lesson 3.
TEST_F(ChannelJoin, UnansweredJoinIsLostAfterFiveSeconds) {
  channel.start(now, login_url());
  channel.resolved(now, true);
  channel.opened(now);
  actions();
  channel.text(now, R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"0","topic":"client"})");
  EXPECT_EQ(wait_for_timer(), kJoinTimeout) << "a ref in quotes answers nothing";
  EXPECT_EQ(actions(), (Lines{"drop", "lost: the portal did not answer the join within 5 s", "resolve portal.test"}));
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_bad_frame), 1u);
}

// Lesson 3.
TEST_F(ChannelJoin, UnfinishedHandshakeIsLostAfterFifteenSeconds) {
  channel.start(now, login_url());
  channel.resolved(now, true);
  actions();
  EXPECT_EQ(wait_for_timer(), kHandshakeTimeout);
  EXPECT_EQ(actions(), (Lines{"drop", "lost: the portal did not complete the WebSocket handshake within 15 s",
                              "resolve portal.test"}));
}

// Lesson 2; refs go on over connections.
TEST_F(ChannelJoin, AStaleJoinBlocksNothing) {
  channel.start(now, login_url());
  channel.resolved(now, true);
  channel.opened(now);
  channel.closed(now, "gone");
  channel.resolved(now, true);
  channel.opened(now);
  actions();
  reply(0);
  EXPECT_EQ(actions(), Lines{}) << "the answer to the earlier join";
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_stray), 1u);
  reply(1);
  EXPECT_EQ(actions(), Lines{"joined"});
}

// Lesson 10.
TEST_F(ChannelJoin, RefusedJoinIsFatal) {
  channel.start(now, login_url());
  channel.resolved(now, true);
  channel.opened(now);
  actions();
  channel.text(now, write_error("client", 0, "disabled"));
  EXPECT_EQ(actions(), (Lines{"drop", "fatal: the portal refused the join: disabled"}));
  EXPECT_EQ(channel.state(), ChannelState::ended);
  EXPECT_FALSE(channel.poll_timeout().has_value());
}

// Lesson 10.
TEST_F(ChannelJoin, BadCertificateIsFatal) {
  channel.start(now, login_url());
  channel.resolved(now, true);
  actions();
  channel.closed(now, "self-signed", true);
  EXPECT_EQ(actions(), (Lines{"drop",
                              "fatal: the portal's certificate is not valid: self-signed: name its issuer with "
                              "--ca-file, or correct the URL or the clock"}));
}

// Lesson 24.
TEST_F(ChannelJoin, WhichAnswersEndTheProgram) {
  struct Row {
    const char* rule;
    int status;
    const char* body;
    std::string outcome;
  };
  const std::string kToken = ": give it a token of this kind of program that is neither revoked nor expired";
  const Row rows[] = {
      {"no good token", 401, "Invalid token", "fatal login: the portal refused the login: 401 Invalid token" + kToken},
      {"disabled account", 403, "Forbidden", "fatal login: the portal refused the login: 403 Forbidden" + kToken},
      {"wrong path", 404, "x",
       "fatal: the portal refused the login: 404 x: does the URL name a portal, with the path that it has there?"},
      {"bad parameters", 422, "Invalid",
       "fatal: the portal refused the login: 422 Invalid: change the name, id or addresses that it objects to"},
      {"a timeout passes", 408, "", "lost: the portal answered 408 "},
      {"a rate limit passes", 429, "Too many", "lost: the portal answered 429 Too many"},
      {"overload passes", 503, "later", "lost: the portal answered 503 later"},
      {"redirects are not followed", 302, "", "lost: the portal answered 302 "},
      {"success without upgrade is none", 200, "hi", "lost: the portal answered 200 hi"},
      {"bodies become one line", 500, "a\nb\xff", "lost: the portal answered 500 a?b?"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    crypto::SeededRandom own_random(1);
    Channel other({}, own_random);
    other.start(now, login_url("ws://192.0.2.1"));
    (void)other.poll_action();
    other.http_refused(now, row.status, row.body);
    EXPECT_EQ(describe(*other.poll_action()), "drop");
    EXPECT_EQ(describe(*other.poll_action()), row.outcome);
  }
}

TEST_F(ChannelJoin, ExpiredTokenIsFatal) {
  join();
  channel.text(now, R"({"event":"disconnect","payload":{"reason":"tea"},"ref":null,"topic":"client"})");
  EXPECT_EQ(actions(), Lines{});
  channel.text(now, R"({"event":"disconnect","payload":{"reason":"token_expired"},"ref":null,"topic":"client"})");
  EXPECT_EQ(actions(), (Lines{"drop", "fatal login: the portal says that the token has expired: give it a new one"}));
}

// Lesson 21.
TEST_F(ChannelJoin, CrashedAndClosedChannelsReconnectAtOnce) {
  join();
  after(2s);
  channel.text(now, R"({"event":"phx_error","payload":{},"ref":null,"topic":"client"})");
  EXPECT_EQ(actions(), (Lines{"drop", "lost: the portal's end of the channel failed", "resolve portal.test"}));
  EXPECT_EQ(delay, 0s);
  channel.resolved(now, true);
  join(1);
  after(2s);
  channel.text(now, R"({"event":"phx_close","payload":{},"ref":null,"topic":"client"})");
  EXPECT_EQ(actions(), (Lines{"drop", "lost: the portal closed the channel", "resolve portal.test"}));
  EXPECT_EQ(delay, 0s);
}

// Lesson 21: a channel that died without a word shows in the answer to the next message.
TEST_F(ChannelJoin, UnmatchedTopicJoinsAgain) {
  join();
  channel.send(now, "a", "1");
  channel.text(now, write_error("client", 1, "unmatched topic"));
  EXPECT_EQ(actions(), (Lines{R"(send {"topic":"client","event":"a","payload":1,"ref":1})",
                              R"(send {"topic":"client","event":"phx_join","payload":null,"ref":2})"}));
  channel.send(now, "b", "1");
  EXPECT_EQ(actions(), Lines{}) << "not before the join's answer";
  reply(2);
  EXPECT_EQ(actions(), (Lines{"joined", R"(send {"topic":"client","event":"b","payload":1,"ref":3})"}));
  channel.text(now, write_error("client", 3, "unknown_message"));
  EXPECT_EQ(actions(), Lines{}) << "other errors are counted";
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_refused), 2u);
}

// Lesson 22.
TEST_F(ChannelJoin, HeartbeatsGoOnWhateverElseIsSent) {
  join();
  for (std::uint64_t beat = 0; beat < 6; ++beat) {
    after(5s);
    channel.send(now, "a", std::to_string(beat));
    channel.handle_timeout(now);
    actions();
    EXPECT_EQ(wait_for_timer(), 5s);
    const auto lines = actions();
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("heartbeat"), std::string::npos);
    reply(2 + 2 * beat);
  }
}

// Lesson 22.
TEST_F(ChannelJoin, FourUnansweredHeartbeatsAreALoss) {
  join();
  for (int beat = 0; beat < 4; ++beat) {
    EXPECT_EQ(wait_for_timer(), kHeartbeatInterval);
    EXPECT_EQ(actions().size(), 1u);
  }
  wait_for_timer();
  EXPECT_EQ(actions(), (Lines{"drop", "lost: the portal did not answer 4 heartbeats", "resolve portal.test"}));
}

TEST_F(ChannelJoin, AnAnswerToAnyHeartbeatCounts) {
  join();
  for (int beat = 0; beat < 4; ++beat) wait_for_timer();
  actions();
  reply(3);
  for (int beat = 0; beat < 4; ++beat) {
    wait_for_timer();
    EXPECT_EQ(actions().size(), 1u) << "counting begins anew";
  }
  wait_for_timer();
  EXPECT_EQ(channel.state(), ChannelState::waiting);
}

TEST_F(ChannelJoin, AHeartbeatBehindASlowWriteGoesWithTheAnswerToTheOneBefore) {
  join();
  wait_for_timer();
  EXPECT_EQ(actions(), Lines{R"(send {"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})"});
  takes_writes = false;
  channel.send(now, "a", "1");
  EXPECT_EQ(actions().size(), 1u);
  wait_for_timer();
  reply(1);
  channel.written(now);
  EXPECT_EQ(actions(), Lines{}) << "nothing is left to be asked";
}

TEST_F(ChannelJoin, AWriteThatHangsIsAnUnansweredHeartbeat) {
  join();
  takes_writes = false;
  for (int beat = 0; beat < 4; ++beat) wait_for_timer();
  EXPECT_EQ(actions().size(), 1u) << "one text is in flight at a time";
  wait_for_timer();
  EXPECT_EQ(channel.state(), ChannelState::waiting);
}

// Portal specification 1.11: no bad frame ends the connection.
TEST_F(ChannelJoin, BadFramesAreCountedAndNothingElse) {
  join();
  struct Row {
    const char* rule;
    const char* text;
    ChannelCounter counter;
  };
  const Row rows[] = {
      {"cut off", R"({"topic":"client")", ChannelCounter::drop_not_json},
      {"empty", "", ChannelCounter::drop_not_json},
      {"malformed", R"({"topic":})", ChannelCounter::drop_not_json},
      {"not UTF-8", "\xff\xfe", ChannelCounter::drop_not_json},
      {"without payload", R"({"topic":"client","event":"nope"})", ChannelCounter::drop_bad_frame},
      {"of another framing", R"([null,"1","client","phx_reply",{}])", ChannelCounter::drop_bad_frame},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto before = channel.counters().get(row.counter);
    channel.text(now, row.text);
    EXPECT_EQ(actions(), Lines{});
    EXPECT_EQ(channel.counters().get(row.counter), before + 1);
  }
  push("nope", "{}");
  EXPECT_EQ(actions(), Lines{"nope {}"}) << "unknown events are the codec's to refuse";
  EXPECT_EQ(channel.state(), ChannelState::joined);
}

// Lesson 13.
TEST_F(ChannelJoin, InitMayComeAgainAtAnyTime) {
  join();
  push("init", "{}");
  push("init", "{}");
  EXPECT_EQ(actions(), (Lines{"init {}", "init {}"}));
}

TEST_F(ChannelJoin, StopEndsForGood) {
  join();
  channel.send(now, "a", "1");
  actions();
  channel.stop(now, true);
  EXPECT_EQ(actions(), Lines{"close gracefully"});
  channel.send(now, "b", "1");
  channel.closed(now, "done");
  channel.text(now, "{}");
  channel.reconnect(now, login_url());
  channel.stop(now, false);
  EXPECT_EQ(actions(), Lines{});
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_not_started), 1u);
  EXPECT_EQ(channel.counters().get(ChannelCounter::drop_stray), 1u);
}

TEST_F(ChannelJoin, StopWithoutConnectionDropsIt) {
  channel.start(now, login_url());
  actions();
  channel.stop(now, true);
  EXPECT_EQ(actions(), Lines{"drop"});
}

TEST_F(ChannelJoin, SinceTellsWhenItChanged) {
  channel.start(now, login_url());
  EXPECT_EQ(channel.since(), now.boot);
  after(1s);
  join();
  EXPECT_EQ(channel.since(), now.boot);
  const auto joined = now.boot;
  wait_for_timer();
  EXPECT_EQ(channel.since(), joined);
  channel.closed(now, "gone");
  EXPECT_EQ(channel.since(), now.boot);
}

class RelayChannel : public ChannelFixture {
 protected:
  RelayChannel() : ChannelFixture({.role = Role::relay, .join_payload = write_relay_join("9f"), .give_up_after = {}}) {}
};

TEST_F(RelayChannel, JoinsWithItsSecretEachTime) {
  channel.start(now, login_url("ws://192.0.2.1"));
  channel.opened(now);
  EXPECT_EQ(actions(), (Lines{"connect 192.0.2.1",
                              R"(send {"topic":"relay","event":"phx_join","payload":{"stamp_secret":"9f"},"ref":0})"}));
  reply(0);
  after(2s);
  channel.closed(now, "gone");
  wait_for_timer();
  actions();
  channel.opened(now);
  EXPECT_EQ(actions(), Lines{R"(send {"topic":"relay","event":"phx_join","payload":{"stamp_secret":"9f"},"ref":1})"});
}

TEST(ChannelNames, EachIsItsOwn) {
  std::vector<std::string> names;
  Counters<ChannelCounter>().for_each([&](std::string_view name, std::uint64_t) { names.emplace_back(name); });
  for (const auto state : {ChannelState::closed, ChannelState::resolving, ChannelState::connecting,
                           ChannelState::joining, ChannelState::joined, ChannelState::waiting, ChannelState::ended}) {
    names.emplace_back(name_of(state));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_FALSE(names[i].empty());
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(names[i], names[j]);
  }
}

}  // namespace
}  // namespace fireline::portal
