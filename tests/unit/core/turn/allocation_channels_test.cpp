// Peers, channels and their data as an allocation handles them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/turn/turn_fixture.h"

namespace fireline::turn {
namespace {
using ::testing::IsEmpty;

Endpoint numbered_peer(std::size_t number) {
  return {.address = kPeer4.address, .port = static_cast<std::uint16_t>(number), .scope = 0};
}

std::vector<std::byte> channel_data(std::uint16_t channel, std::size_t bytes, std::size_t stated) {
  std::vector<std::byte> datagram(stun::kChannelHeaderBytes + bytes, std::byte{0x55});
  stun::write_channel_header(datagram, channel, static_cast<std::uint16_t>(stated));
  return datagram;
}

TEST(TurnChannels, AskingForAChannelHasNoConsequenceAndSaysUntilWhen) {
  Harness relay;
  relay.allocate();
  EXPECT_FALSE(relay.allocation.channel_to(relay.now, kPeer4).has_value());
  relay.drain();
  EXPECT_EQ(relay.count(Method::channel_bind), 0u);
  const Instant bound = relay.now.boot;
  const std::uint16_t number = relay.bind(kPeer4);
  const auto channel = relay.allocation.channel_to(relay.now, kPeer4);
  ASSERT_TRUE(channel.has_value());
  EXPECT_EQ(channel->number, number);
  EXPECT_EQ(channel->until, bound + kChannelLifetime);
  const Now then{.boot = channel->until, .wall = {}};
  EXPECT_FALSE(relay.allocation.channel_to(then, kPeer4).has_value());
}

TEST(TurnChannels, SendingBindsOnDemandAndDropsThisOnePacket) {
  Harness h;
  h.allocate();
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt) << "a bind is started";
  h.drain();
  const SentRequest bind = h.take(Method::channel_bind);
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), 0x4000) << "in flight";
  ASSERT_TRUE(h.succeed(bind));
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), 0x4000);
  h.drain();
  EXPECT_EQ(h.count(Method::channel_bind), 0u) << "once";
}

TEST(TurnChannels, NothingIsSentBeforeTheChannelBindHasLeft) {
  Harness h;
  h.allocate();
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt);
  std::array<std::byte, kMaxRequestBytes> out;
  const auto transmit = h.allocation.poll_transmit(out);
  ASSERT_TRUE(transmit) << "the request comes out first";
  EXPECT_EQ(stun::MessageView::parse(ConstBytes(out).first(transmit->bytes))->method(), Method::channel_bind);
}

TEST(TurnChannels, APeerOfAFamilyThatTheAllocationLacksIsNotBound) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  h.allocation.bind(h.now, kPeer6);  // buffered: nobody knows yet
  ASSERT_TRUE(h.allocated(h.take(Method::allocate), 600, false));
  EXPECT_EQ(h.count(Method::channel_bind), 0u);
  h.allocation.bind(h.now, kPeer6);
  h.drain();
  EXPECT_EQ(h.count(Method::channel_bind), 0u);
  EXPECT_EQ(h.counted(TurnCounter::bind_wrong_family), 2u);
}

TEST(TurnChannels, AHundredPeersWaitAndTheOldestGivesWay) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  for (std::size_t i = 1; i <= kBufferedPeersMax + 1; ++i) h.allocation.bind(h.now, numbered_peer(i));
  h.allocation.bind(h.now, numbered_peer(50));  // waits already
  EXPECT_EQ(h.allocation.status(h.now).waiting_peers, kBufferedPeersMax);
  EXPECT_EQ(h.counted(TurnCounter::buffered_overwritten), 1u);
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  ASSERT_EQ(h.count(Method::channel_bind), kBufferedPeersMax);
  EXPECT_EQ(h.sent.front().view().find_xor_address(Attribute::xor_peer_address), numbered_peer(2));
}

TEST(TurnChannels, TooManyBindsInFlightAreCountedAndComeBackOnDemand) {
  Harness h;
  h.allocate();
  for (std::size_t i = 0; i <= kChannelBindsMax; ++i) h.allocation.bind(h.now, numbered_peer(i));
  EXPECT_EQ(h.counted(TurnCounter::bind_too_many), 1u);
  h.drain();
  ASSERT_TRUE(h.succeed(h.take(Method::channel_bind)));
  h.allocation.bind(h.now, numbered_peer(kChannelBindsMax));
  EXPECT_EQ(h.counted(TurnCounter::bind_too_many), 1u);
}

TEST(TurnChannels, ExhaustedNumbersAreCounted) {
  Harness h;
  h.allocate();
  for (std::size_t i = 0; i < kChannelsMax; ++i) {
    h.allocation.bind(h.now, numbered_peer(i));
    h.drain();
    ASSERT_TRUE(h.succeed(h.take(Method::channel_bind)));
  }
  EXPECT_EQ(h.allocation.channel_for(h.now, numbered_peer(kChannelsMax)), std::nullopt);
  EXPECT_EQ(h.counted(TurnCounter::bind_no_channel), 1u);
  EXPECT_EQ(h.allocation.status(h.now).bound_channels, kChannelsMax);
}

TEST(TurnChannels, AnOwnerBeyondHisShareIsCountedAndTakesNothingFromOthers) {
  constexpr ChannelOwner kGreedy{1};
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  h.allocation.bind(h.now, numbered_peer(0), kGreedy);  // waits for the allocation
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  ASSERT_TRUE(h.succeed(h.take(Method::channel_bind)));
  for (std::size_t i = 1; i < kChannelsPerOwnerMax + 10; ++i) {
    if (i % 2 == 0) {
      h.allocation.bind(h.now, numbered_peer(i), kGreedy);
    } else {
      static_cast<void>(h.allocation.channel_for(h.now, numbered_peer(i), kGreedy));
    }
    h.drain();
    if (i < kChannelsPerOwnerMax) {
      ASSERT_TRUE(h.succeed(h.take(Method::channel_bind)));
    }
  }
  EXPECT_EQ(h.count(Method::channel_bind), 0u);
  EXPECT_EQ(h.counted(TurnCounter::bind_share_used), 10u);
  EXPECT_EQ(h.allocation.status(h.now).bound_channels, kChannelsPerOwnerMax);
  h.allocation.bind(h.now, kPeer4, ChannelOwner{2});
  h.drain();
  EXPECT_EQ(h.count(Method::channel_bind), 1u);
}

TEST(TurnChannels, PayloadBelongsToThePeerAndToOurRelayedAddressOfItsFamily) {
  Harness h;
  h.allocate();
  const std::uint16_t v4 = h.bind(kPeer4);
  const std::uint16_t v6 = h.bind(kPeer6);
  const struct {
    std::uint16_t channel;
    Endpoint peer, local;
  } rows[] = {{v4, kPeer4, kRelayed4}, {v6, kPeer6, kRelayed6}};
  for (const auto& row : rows) {
    const auto datagram = channel_data(row.channel, 32, 32);
    const auto data = h.allocation.unwrap(h.now, datagram);
    ASSERT_TRUE(data);
    EXPECT_EQ(data->peer, row.peer);
    EXPECT_EQ(data->local, row.local);
    EXPECT_EQ(data->payload.data(), datagram.data() + 4) << "in place";
    EXPECT_EQ(data->payload.size(), 32u);
  }
}

TEST(TurnChannels, ChannelDataIsExactlyAsLongAsItSays) {
  Harness h;
  h.allocate();
  const std::uint16_t channel = h.bind(kPeer4);
  const struct {
    std::string_view rule;
    std::vector<std::byte> datagram;
    bool good;
  } rows[] = {
      {"exact", channel_data(channel, 5, 5), true},
      {"empty payload", channel_data(channel, 0, 0), true},
      {"padding is not allowed over UDP", channel_data(channel, 8, 5), false},
      {"cut", channel_data(channel, 4, 5), false},
      {"no whole header", std::vector<std::byte>(3, std::byte{0x40}), false},
      {"nothing", {}, false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(h.allocation.unwrap(h.now, row.datagram).has_value(), row.good);
  }
  EXPECT_EQ(h.counted(TurnCounter::drop_malformed), 4u);
}

TEST(TurnChannels, DataOnAnUnknownOrUnconfirmedChannelIsDropped) {
  Harness h;
  h.allocate();
  EXPECT_FALSE(h.receive_data(0x4000)) << "unknown";
  h.allocation.bind(h.now, kPeer4);
  h.drain();
  EXPECT_FALSE(h.receive_data(0x4000)) << "unconfirmed";
  ASSERT_TRUE(h.succeed(h.take(Method::channel_bind)));
  EXPECT_TRUE(h.receive_data(0x4000));
  EXPECT_EQ(h.counted(TurnCounter::drop_channel_unknown), 2u);
}

// The allocation is refreshed, keepalives and binds are answered; the peer sends when `data` says so.
void live(Harness& h, Duration time, std::uint16_t data_on) {
  for (const Instant end = h.now.boot + time; h.now.boot < end;) {
    if (data_on != 0) h.receive_data(data_on);
    h.advance(std::min<Duration>(5s, end - h.now.boot));
    while (h.count(Method::binding) != 0) h.bound(h.take(Method::binding), kMapped4);
    while (h.count(Method::refresh) != 0) h.refreshed(h.take(Method::refresh));
    while (h.count(Method::channel_bind) != 0) h.succeed(h.take(Method::channel_bind));
  }
}

TEST(TurnChannels, AUsedChannelLivesForEver) {
  Harness h;
  h.allocate();
  const std::uint16_t channel = h.bind(kPeer4);
  live(h, 40min, channel);
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), channel);
  EXPECT_TRUE(h.receive_data(channel));
}

TEST(TurnChannels, AnUnusedChannelLapsesAndIsRevivedUnderItsNumber) {
  Harness h;
  h.allocate();
  const std::uint16_t channel = h.bind(kPeer4);
  live(h, 10min, 0);
  EXPECT_FALSE(h.receive_data(channel)) << "lapsed";
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt);
  h.drain();
  const SentRequest bind = h.take(Method::channel_bind);
  EXPECT_EQ(bind.view().find_channel_number(), channel) << "the same number during cool-down";
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), std::nullopt) << "not pipelined";
  ASSERT_TRUE(h.succeed(bind));
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), channel);
}

TEST(TurnChannels, AfterCoolDownAPeerGetsANeverUsedNumber) {
  Harness h;
  h.allocate();
  EXPECT_EQ(h.bind(kPeer4), 0x4000);
  live(h, 15min + 5s, 0);
  EXPECT_EQ(h.bind(kPeer4), 0x4001);
}

TEST(TurnChannels, ANewAllocationStartsWithoutChannels) {
  Harness h;
  h.allocate();
  h.bind(kPeer4);
  h.allocation.refresh(h.now);
  h.drain();
  ASSERT_TRUE(h.fail(h.take(Method::refresh), 437));
  EXPECT_FALSE(h.receive_data(0x4000));
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  EXPECT_EQ(h.bind(kPeer6), 0x4000);
}

TEST(TurnChannels, ManyChannelsAreRefreshedWithinTheLimitOfBindsInFlight) {
  Harness h;
  h.allocate();
  constexpr std::size_t kMany = kChannelBindsMax + 100;
  for (std::size_t i = 0; i < kMany; ++i) {
    h.allocation.bind(h.now, numbered_peer(i));
    h.drain();
    ASSERT_TRUE(h.succeed(h.take(Method::channel_bind)));
    ASSERT_TRUE(h.receive_data(static_cast<std::uint16_t>(0x4000 + i)));
  }
  h.now.boot += 5min;
  h.run_timers();
  EXPECT_EQ(h.count(Method::channel_bind), kChannelBindsMax);
  while (h.count(Method::channel_bind) != 0) ASSERT_TRUE(h.succeed(h.take(Method::channel_bind)));
  h.now.boot += 1s;
  h.run_timers();
  EXPECT_EQ(h.count(Method::channel_bind), 100u);
}

}  // namespace
}  // namespace fireline::turn
