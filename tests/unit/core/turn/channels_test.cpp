// Which number a peer gets, and what a channel may be used for at which age.
#include "core/turn/channels.h"

#include <gtest/gtest.h>

#include <string>

namespace fireline::turn {
namespace {
using namespace std::chrono_literals;

constexpr Instant kStart(1000s);

Endpoint peer(std::uint16_t number) {
  return {.address = *IpAddress::parse("198.51.100.7"), .port = number, .scope = 0};
}

// Binds and has the relay accept at once.
std::uint16_t bound(Channels& channels, Instant now, const Endpoint& to) {
  const std::uint16_t number = channels.begin_bind(now, to).value();
  channels.confirm(now, number);
  return number;
}

TEST(Channels, NumbersStartAt0x4000AndNeverUsedOnesComeFirst) {
  Channels channels;
  EXPECT_EQ(channels.begin_bind(kStart, peer(1)), 0x4000);
  EXPECT_EQ(channels.begin_bind(kStart, peer(2)), 0x4001);
  channels.forget(0x4000);
  EXPECT_EQ(channels.begin_bind(kStart, peer(3)), 0x4002) << "0x4000 was used";
}

TEST(Channels, AllNumbersThenNoneThenRoundRobinAfter15Minutes) {
  Channels channels;
  for (std::size_t i = 0; i < kChannelsMax; ++i) {
    EXPECT_EQ(bound(channels, kStart, peer(static_cast<std::uint16_t>(i))), 0x4000 + i);
  }
  EXPECT_EQ(channels.begin_bind(kStart + 15min - 1ns, peer(5000)), std::nullopt) << "in use or cooling down";
  EXPECT_EQ(bound(channels, kStart + 15min, peer(5000)), 0x4000);
  EXPECT_EQ(bound(channels, kStart + 15min, peer(5001)), 0x4001);
}

TEST(Channels, RoundRobinGoesOnFromTheLastNumberRatherThanTakingTheLowestFreeOne) {
  Channels channels;
  for (std::size_t i = 0; i < kChannelsMax; ++i) bound(channels, kStart, peer(static_cast<std::uint16_t>(i)));
  channels.prune(kStart + 15min);
  EXPECT_EQ(channels.begin_bind(kStart + 15min, peer(5000)), 0x4000);
  channels.forget(0x4000);
  EXPECT_EQ(channels.begin_bind(kStart + 15min, peer(5001)), 0x4001);
}

TEST(Channels, ANumberWithDataSinceItsLastBindingGoesToNobodyElse) {
  Channels channels;
  for (std::size_t i = 0; i < kChannelsMax; ++i) bound(channels, kStart, peer(static_cast<std::uint16_t>(i)));
  EXPECT_TRUE(channels.receive(kStart + 1min, 0x4000));
  EXPECT_EQ(channels.begin_bind(kStart + 15min, peer(5000)), 0x4001);
}

TEST(Channels, ThePeerKeepsItsNumberDuringCoolDown) {
  Channels channels;
  bound(channels, kStart, peer(1));
  EXPECT_EQ(channels.begin_bind(kStart + 15min - 1ns, peer(1)), 0x4000);
}

TEST(Channels, AfterCoolDownThePeerGetsANeverUsedNumber) {
  Channels channels;
  bound(channels, kStart, peer(1));
  EXPECT_EQ(channels.begin_bind(kStart + 15min, peer(1)), 0x4001);
}

TEST(Channels, UsableToSendFromTheRequestOnAndFor10Minutes) {
  Channels channels;
  EXPECT_EQ(channels.sendable(kStart, peer(1)), std::nullopt);
  EXPECT_EQ(channels.begin_bind(kStart, peer(1)), 0x4000);
  EXPECT_EQ(channels.sendable(kStart, peer(1)), 0x4000) << "in flight";
  EXPECT_EQ(channels.sendable(kStart + 10min, peer(1)), std::nullopt) << "an unanswered request grows old too";
  channels.confirm(kStart + 1s, 0x4000);
  EXPECT_EQ(channels.sendable(kStart + 1s + 10min - 1ns, peer(1)), 0x4000);
  EXPECT_EQ(channels.sendable(kStart + 1s + 10min, peer(1)), std::nullopt) << "lapsed";
}

TEST(Channels, UsableToReceiveOnlyWhenConfirmedAndAlive) {
  Channels channels;
  EXPECT_EQ(channels.receive(kStart, 0x4000), std::nullopt) << "unknown";
  EXPECT_EQ(channels.begin_bind(kStart, peer(1)), 0x4000);
  EXPECT_EQ(channels.receive(kStart, 0x4000), std::nullopt) << "unconfirmed";
  channels.confirm(kStart, 0x4000);
  EXPECT_EQ(channels.receive(kStart, 0x4000), peer(1));
  EXPECT_EQ(channels.receive(kStart + 10min, 0x4000), std::nullopt) << "lapsed";
  EXPECT_EQ(channels.receive(kStart, 0x3FFF), std::nullopt);
  EXPECT_EQ(channels.receive(kStart, 0x5000), std::nullopt);
}

TEST(Channels, ALapsedChannelIsNotPipelined) {
  Channels channels;
  bound(channels, kStart, peer(1));
  const Instant later = kStart + 11min;
  EXPECT_TRUE(channels.needs_bind(later, peer(1)));
  EXPECT_EQ(channels.begin_bind(later, peer(1)), 0x4000);
  EXPECT_EQ(channels.sendable(later, peer(1)), std::nullopt);
  channels.confirm(later, 0x4000);
  EXPECT_EQ(channels.sendable(later, peer(1)), 0x4000);
}

TEST(Channels, ALiveChannelStaysUsableWhileItIsRefreshed) {
  Channels channels;
  bound(channels, kStart, peer(1));
  EXPECT_TRUE(channels.receive(kStart + 1min, 0x4000));
  EXPECT_EQ(channels.begin_bind(kStart + 10min - 1s, peer(1)), 0x4000);
  EXPECT_EQ(channels.sendable(kStart + 10min - 1s, peer(1)), 0x4000);
  EXPECT_EQ(channels.sendable(kStart + 10min + 1s, peer(1)), 0x4000) << "behind the request";
}

TEST(Channels, BindingIsSkippedWhenLiveOrInFlight) {
  Channels channels;
  EXPECT_TRUE(channels.needs_bind(kStart, peer(1)));
  EXPECT_EQ(channels.begin_bind(kStart, peer(1)), 0x4000);
  EXPECT_FALSE(channels.needs_bind(kStart, peer(1))) << "in flight";
  channels.confirm(kStart, 0x4000);
  EXPECT_FALSE(channels.needs_bind(kStart + 10min - 1ns, peer(1))) << "live";
  EXPECT_TRUE(channels.needs_bind(kStart + 10min, peer(1))) << "lapsed";
}

TEST(Channels, RefreshedInTheSecondHalfOfItsLifeAndOnlyWithData) {
  const struct {
    std::string rule;
    bool data;
    Duration age;
    bool due;
  } rows[] = {
      {"young", true, 5min - 1ns, false},
      {"old enough, with data", true, 5min, true},
      {"unused: it lapses", false, 9min, false},
      {"lapsed, with data before", true, 11min, true},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    Channels channels;
    bound(channels, kStart, peer(1));
    if (row.data) {
      EXPECT_TRUE(channels.receive(kStart + 1s, 0x4000));
    }
    EXPECT_EQ(channels.refresh_due(kStart + row.age).has_value(), row.due);
  }
}

TEST(Channels, DataBeforeTheLastBindingDoesNotCount) {
  Channels channels;
  bound(channels, kStart, peer(1));
  EXPECT_TRUE(channels.receive(kStart + 1min, 0x4000));
  EXPECT_EQ(channels.begin_bind(kStart + 5min, peer(1)), 0x4000);
  EXPECT_EQ(channels.refresh_due(kStart + 5min), std::nullopt) << "in flight";
  channels.confirm(kStart + 5min, 0x4000);
  EXPECT_EQ(channels.refresh_due(kStart + 10min), std::nullopt);
  EXPECT_EQ(channels.sendable(kStart + 14min, peer(1)), 0x4000) << "ten minutes from the last answer";
}

TEST(Channels, PruningKeepsWhatIsLeftReachable) {
  Channels channels;
  for (std::uint16_t i = 0; i < 10; ++i) bound(channels, kStart + i * 1min, peer(i));
  channels.prune(kStart + 19min);  // those of minutes 0 to 4
  EXPECT_EQ(channels.size(), 5u);
  for (std::uint16_t i = 5; i < 10; ++i) {
    EXPECT_EQ(channels.begin_bind(kStart + 19min, peer(i)), 0x4000 + i);
  }
}

TEST(Channels, AnOwnerHasAShareThatCoolingNumbersCountIn) {
  constexpr ChannelOwner kOne{1};
  constexpr ChannelOwner kOther{2};
  Channels channels;
  for (std::uint16_t i = 0; i < kChannelsPerOwnerMax; ++i) {
    ASSERT_FALSE(channels.exceeds_share(peer(i), kOne)) << i;
    channels.confirm(kStart, channels.begin_bind(kStart, peer(i), kOne).value());
  }
  EXPECT_TRUE(channels.exceeds_share(peer(5000), kOne));
  EXPECT_FALSE(channels.exceeds_share(peer(5000), kOther));
  EXPECT_FALSE(channels.exceeds_share(peer(5000), ChannelOwner::nobody));
  EXPECT_FALSE(channels.exceeds_share(peer(7), kOne)) << "it has a number already";
  // Bound again by somebody else it stays with its owner.
  EXPECT_EQ(channels.begin_bind(kStart + 1min, peer(7), kOther), 0x4007);
  EXPECT_TRUE(channels.exceeds_share(peer(5000), kOne));
  channels.confirm(kStart + 1min, 0x4007);

  channels.prune(kStart + 15min - 1ns);
  EXPECT_TRUE(channels.exceeds_share(peer(5000), kOne)) << "they cool down";
  channels.forget(0x4000);
  EXPECT_FALSE(channels.exceeds_share(peer(5000), kOne));
  static_cast<void>(channels.begin_bind(kStart, peer(5000), kOne));
  EXPECT_TRUE(channels.exceeds_share(peer(5001), kOne));
  channels.prune(kStart + 15min);
  EXPECT_FALSE(channels.exceeds_share(peer(5001), kOne));
  channels.clear();
  for (std::uint16_t i = 0; i < kChannelsPerOwnerMax; ++i) {
    ASSERT_FALSE(channels.exceeds_share(peer(i), kOne)) << i;
    static_cast<void>(channels.begin_bind(kStart, peer(i), kOne));
  }
  EXPECT_TRUE(channels.exceeds_share(peer(5000), kOne));
}

TEST(Channels, ForgettingIsForPeerAndNumber) {
  Channels channels;
  bound(channels, kStart, peer(1));
  channels.forget(0x4000);
  channels.forget(0x4000);
  channels.forget(0x1234);
  EXPECT_EQ(channels.sendable(kStart, peer(1)), std::nullopt);
  EXPECT_EQ(channels.receive(kStart, 0x4000), std::nullopt);
  EXPECT_EQ(channels.size(), 0u);
}

TEST(Channels, ClearStartsOver) {
  Channels channels;
  bound(channels, kStart, peer(1));
  channels.clear();
  EXPECT_EQ(channels.begin_bind(kStart, peer(2)), 0x4000);
  EXPECT_EQ(channels.bound(kStart), 0u);
  channels.confirm(kStart, 0x4000);
  EXPECT_EQ(channels.bound(kStart), 1u);
}

}  // namespace
}  // namespace fireline::turn
