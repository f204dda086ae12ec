// How often the portal is asked for relays: by itself, and by client and gateway whose only relay never answers.
#include "core/tunnel/relays_wanted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/tunnel/client_fixture.h"
#include "tests/unit/core/tunnel/gateway_world.h"

namespace fireline::tunnel::test {
namespace {

using ::testing::ElementsAre;

constexpr Instant kBeginning(1000s);
const policy::GatewayResource kNetwork = network_behind(1, "10.0.0.0/8");

// When the portal is asked by who wants relays all the time, within the time.
std::vector<std::int64_t> asked_within(RelayAsks& asks, Instant from, Duration time) {
  std::vector<std::int64_t> seconds;
  for (Instant now = from; now < from + time; now += 1s) {
    asks.want();
    if (asks.poll(now)) seconds.push_back((now - from) / 1s);
  }
  return seconds;
}

TEST(RelayAsks, AtOnceAndThenWithGrowingPauses) {
  RelayAsks asks;
  EXPECT_THAT(asked_within(asks, kBeginning, 250s), ElementsAre(0, 1, 3, 7, 15, 31, 63, 123, 183, 243));
}

TEST(RelayAsks, AfterTwoMinutesWithoutAQuestionAtOnceAgain) {
  RelayAsks asks;
  EXPECT_THAT(asked_within(asks, kBeginning, 10s), ElementsAre(0, 1, 3, 7));
  EXPECT_THAT(asked_within(asks, kBeginning + 7s + kRelayAsksForgotten, 5s), ElementsAre(0, 1, 3));
}

TEST(RelayAsks, NothingWithoutAWishAndNoneThatWasSettled) {
  RelayAsks asks;
  EXPECT_FALSE(asks.poll(kBeginning));
  EXPECT_EQ(asks.poll_timeout(), std::nullopt);
  asks.want();
  asks.settle();
  EXPECT_FALSE(asks.poll(kBeginning));
  asks.want();
  EXPECT_TRUE(asks.poll_timeout().value() <= kBeginning);
  EXPECT_TRUE(asks.poll(kBeginning));
  EXPECT_EQ(asks.poll_timeout(), std::nullopt);
  asks.want();
  EXPECT_EQ(asks.poll_timeout(), kBeginning + kRelayAskPause);
  EXPECT_FALSE(asks.poll(kBeginning + kRelayAskPause - 1ns));
  EXPECT_TRUE(asks.poll(kBeginning + kRelayAskPause));
}

// Each `init` brings the same relay, which is silent. Timers run when they are due and never otherwise.
TEST(RelaysWanted, AClientDoesNotLogInAllTheTimeForASilentRelay) {
  ClientFixture fixture;
  fixture.init({});
  std::size_t asked = 0;
  const Instant start = fixture.now.boot;
  for (int turn = 0; turn < 10000; ++turn) {
    const auto due = fixture.client->poll_timeout();
    ASSERT_TRUE(due.has_value()) << "after " << asked << " questions";
    if (*due > start + 10min) break;
    fixture.advance(std::max(*due - fixture.now.boot, Duration(1ms)));
    fixture.handle_timeout();
    for (const RelaysWanted& one : fixture.take<RelaysWanted>()) {
      static_cast<void>(one);
      ++asked;
      fixture.init({});
    }
  }
  EXPECT_GE(asked, 10u) << "it goes on";
  EXPECT_LE(asked, 16u);
}

TEST(RelaysWanted, AGatewayWithoutRelaysAsksOnceForAllWhoWantToConnect) {
  GatewayWorld world;
  world.handle(portal::RelaysPresence{.disconnected_ids = {"relay"}, .connected = {}});
  EXPECT_EQ(world.take<RelaysWanted>().size(), 1u);
  for (std::uint8_t client = 10; client < 20; ++client) world.handle(world.request(client, kNetwork));
  EXPECT_EQ(world.take<RelaysWanted>().size(), 0u);
  world.run(kRelayAskPause + 1ms);
  EXPECT_EQ(world.take<RelaysWanted>().size(), 1u) << "without traffic";
  world.run(1min);
  EXPECT_EQ(world.take<RelaysWanted>().size(), 0u) << "the portal has none";
}

TEST(RelaysWanted, RelaysThatComeSettleWhatWaits) {
  GatewayWorld world;
  world.handle(portal::RelaysPresence{.disconnected_ids = {"relay"}, .connected = {}});
  EXPECT_EQ(world.take<RelaysWanted>().size(), 1u);
  world.handle(world.request(10, kNetwork));
  world.init();
  world.run(1min);
  EXPECT_EQ(world.take<RelaysWanted>().size(), 0u);
}

}  // namespace
}  // namespace fireline::tunnel::test
