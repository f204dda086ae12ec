// Relay specification 1.8 and 1.9: Refresh, channels with their cool-down, expiry, and data both ways.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/core/crypto/hex.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr std::string_view kPeer = "192.0.2.33:52625";
constexpr std::string_view kOther = "192.0.2.34:52625";
constexpr std::uint16_t kNumber = 0x4000;

// A relay with one dual allocation that lasts an hour.
struct Bound : Relay {
  explicit Bound(ServerConfig config = firezone_config())
      : Relay(std::move(config)), client(*this, "198.51.100.7:51820") {
    EXPECT_EQ(client.allocate([](stun::MessageWriter& writer) {
      writer.add_u32(stun::Attribute::lifetime, 3600);
      writer.add_family(stun::Attribute::additional_address_family, Family::v6);
    }),
              0);
  }
  bool forwards_both_ways() {
    const bool out = client.to_peer(kNumber, "hi") == std::to_string(client.port()) + " " + std::string(kPeer) + " hi";
    const bool in = from_peer(*this, client.port(), kPeer) == "198.51.100.7:51820 4000";
    EXPECT_EQ(out, in);
    return out;
  }
  Client client;
};

struct AgeRow {
  std::string_view rule;
  Duration age;  // since the last bind
  bool forwards;
  Code same;          // ChannelBind of same number and peer
  Code other_peer;    // same number, another peer
  Code other_number;  // same peer, another number
};
const AgeRow kAges[] = {
    {"just bound", 0s, true, 0, 400, 400},
    {"bound until the last nanosecond", 600s - 1ns, true, 0, 400, 400},
    {"cools down from 600 s", 600s, false, 0, 400, 400},
    {"cools down at 899 s", 899s, false, 0, 400, 400},
    {"cools down until the last nanosecond", 900s - 1ns, false, 0, 400, 400},
    {"gone at 900 s", 900s, false, 0, 0, 0},
    {"gone long after", 2000s, false, 0, 0, 0},
};

TEST(Channel, AgeDecidesWhatIsForwardedAndWhatMayBeBound) {
  for (const AgeRow& row : kAges) {
    SCOPED_TRACE(row.rule);
    const auto aged = [&](auto&& then) {
      Bound relay;
      ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
      relay.advance(row.age);
      then(relay);
      relay.expect_consistent();
    };
    aged([&](Bound& relay) {
      EXPECT_EQ(relay.forwards_both_ways(), row.forwards);
      EXPECT_EQ(relay.host.entries.size(), row.forwards ? 1u : 0u);
      EXPECT_EQ(relay.server.gauges().bound_channels, row.forwards ? 1u : 0u);
    });
    aged([&](Bound& relay) {
      EXPECT_EQ(relay.client.bind(kNumber, kPeer), row.same);
      EXPECT_TRUE(relay.forwards_both_ways());
      EXPECT_EQ(relay.host.entries.size(), 1u);
    });
    aged([&](Bound& relay) { EXPECT_EQ(relay.client.bind(kNumber, kOther), row.other_peer); });
    aged([&](Bound& relay) { EXPECT_EQ(relay.client.bind(kNumber + 1, kPeer), row.other_number); });
  }
}

TEST(Channel, ExpiryIsServedOnceAndLateDeadlinesAtOnce) {
  Bound relay;
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  EXPECT_EQ(relay.server.poll_timeout(), relay.now.boot + 600s);
  relay.advance(600s);
  EXPECT_EQ(relay.server.poll_timeout(), relay.now.boot + 300s);
  relay.server.handle_timeout(relay.now);
  relay.server.handle_timeout(relay.now);
  EXPECT_EQ(relay.count(ServerCounter::channels_expired), 1u);
  EXPECT_EQ(std::ranges::count_if(relay.host.events,
                                  [](const Event& event) { return event.kind == EventKind::channel_expired; }),
            1);

  Bound sleeper;
  ASSERT_EQ(sleeper.client.bind(kNumber, kPeer), 0);
  sleeper.advance(1000s);  // asleep over both deadlines
  EXPECT_EQ(sleeper.server.gauges().cooling_channels, 0u);
  EXPECT_EQ(sleeper.count(ServerCounter::channels_expired), 1u);
  EXPECT_TRUE(sleeper.host.entries.empty());
}

TEST(Channel, ADeadlineHoldsForRequestsEvenBeforeTheTimerIsServed) {
  Bound relay;
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  relay.now.boot += 900s;  // no handle_timeout
  EXPECT_EQ(relay.client.bind(kNumber, kOther), 0);
}

struct BindRow {
  std::string_view rule;
  bool dual;
  std::uint16_t number;
  std::string_view peer;
  Code code;
};
// With channel 0x4000 bound to kPeer.
const BindRow kBinds[] = {
    {"the lowest number again", true, 0x4000, kPeer, 0},
    {"another number and peer", true, 0x4001, kOther, 0},
    {"the highest number", true, 0x4FFF, kOther, 0},
    {"an IPv6 peer of a dual allocation", true, 0x4001, "[2001:db8:f::33]:1", 0},
    {"an IPv6 peer without IPv6 relayed address", false, 0x4001, "[2001:db8:f::33]:1", 443},
    {"the family comes before the number", false, 0x4000, "[2001:db8:f::33]:1", 443},
    {"the same peer on another number", true, 0x4001, kPeer, 400},
    {"the same number for another peer", true, 0x4000, kOther, 400},
    {"the same address with another port is another peer", true, 0x4001, "192.0.2.33:52626", 0},
    {"port 0 is a peer's port", true, 0x4001, "192.0.2.33:0", 0},
    {"a private peer", true, 0x4001, "10.1.2.3:1", 0},
    {"a refused peer", true, 0x4001, "127.0.0.1:1", 403},
    {"the family comes before the refusal", false, 0x4001, "[::1]:1", 443},
};

TEST(Channel, BindChecksComeInTheirOrder) {
  for (const BindRow& row : kBinds) {
    SCOPED_TRACE(row.rule);
    Relay relay;
    Client client(relay, "198.51.100.7:51820");
    ASSERT_EQ(client.bind(kNumber, kPeer), 437) << "no allocation comes first";
    ASSERT_EQ(client.allocate([&](stun::MessageWriter& writer) {
      if (row.dual) writer.add_family(stun::Attribute::additional_address_family, Family::v6);
    }),
              0);
    ASSERT_EQ(client.bind(kNumber, kPeer), 0);
    EXPECT_EQ(client.bind(row.number, row.peer), row.code);
    EXPECT_EQ(client.last.integrity, stun::Check::good);
    relay.expect_consistent();
  }
}

TEST(Channel, EntriesAreInPlaceBeforeTheAnswer) {
  Bound relay;
  relay.host.effects.clear();
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"offload 4000 192.0.2.33:52625", "answer"}));
}

TEST(Channel, EntriesEndWithTheEarlierOfChannelAndAllocation) {
  Bound relay;
  const auto expires = [&] { return relay.host.entries.begin()->second.expires - relay.now.boot; };
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  EXPECT_EQ(expires(), 600s);
  ASSERT_EQ(relay.client.refresh(100), 0);
  EXPECT_EQ(expires(), 100s) << "a shorter allocation is told to the host";
  EXPECT_EQ(relay.host.effects.at(relay.host.effects.size() - 2), "prolong 4000 " + std::string(kPeer))
      << "which is no new offer: that one asks for routes";
  ASSERT_EQ(relay.client.refresh(3600), 0);
  EXPECT_EQ(expires(), 600s) << "a longer one, too";
  relay.advance(60s);
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  EXPECT_EQ(expires(), 600s);
}

TEST(Channel, AFullFastPathUndoesTheBinding) {
  Bound relay;
  relay.host.next_offload = Host::Offload::full;
  EXPECT_EQ(relay.client.bind(kNumber, kPeer), 508);
  EXPECT_EQ(relay.server.gauges().bound_channels, 0u);
  EXPECT_FALSE(relay.forwards_both_ways());
  EXPECT_EQ(relay.count(ServerCounter::offload_full), 1u);
  relay.host.next_offload = Host::Offload::done;
  EXPECT_EQ(relay.client.bind(kNumber + 1, kPeer), 0) << "neither the peer nor the number is taken";
  EXPECT_EQ(relay.client.bind(kNumber, kOther), 0);

  relay.host.next_offload = Host::Offload::full;
  EXPECT_EQ(relay.client.bind(kNumber, kOther), 508) << "a refresh that finds it full";
  EXPECT_EQ(relay.server.gauges().bound_channels, 2u) << "leaves the binding as it was, in user space";
  relay.expect_consistent();
}

TEST(Channel, ACoolingChannelStaysCoolWhenTheFastPathIsFull) {
  Bound relay;
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  relay.advance(700s);
  relay.host.next_offload = Host::Offload::full;
  EXPECT_EQ(relay.client.bind(kNumber, kPeer), 508);
  EXPECT_EQ(relay.server.gauges().cooling_channels, 1u);
  relay.advance(200s);
  EXPECT_EQ(relay.server.gauges().cooling_channels, 0u) << "and ends when it would have";
  relay.expect_consistent();
}

TEST(Channel, WhatIsNotOffloadedIsForwardedInUserSpace) {
  Bound relay;
  relay.host.next_offload = Host::Offload::not_offloaded;
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  EXPECT_TRUE(relay.forwards_both_ways());
  ASSERT_EQ(relay.client.refresh(0), 0);
  relay.expect_consistent();
}

TEST(Channel, TheLimitPerAllocationIsTheOperators) {
  ServerConfig config = firezone_config();
  config.limits.channels_per_allocation = 2;
  Bound relay(config);
  ASSERT_EQ(relay.client.bind(0x4000, "192.0.2.1:1"), 0);
  ASSERT_EQ(relay.client.bind(0x4001, "192.0.2.2:1"), 0);
  EXPECT_EQ(relay.client.bind(0x4002, "192.0.2.3:1"), 508);
  EXPECT_EQ(relay.count(ServerCounter::limit_channels), 1u);
  EXPECT_EQ(relay.client.bind(0x4000, "192.0.2.1:1"), 0) << "a refresh needs no room";
}

TEST(Channel, AllNumbersOfAClientCanBeBound) {
  Bound relay;
  for (unsigned i = 0; i < 4096; ++i) {
    ASSERT_EQ(relay.client.bind(static_cast<std::uint16_t>(0x4000 + i), "192.0.2.1:" + std::to_string(1 + i)), 0);
  }
  EXPECT_EQ(relay.server.gauges().bound_channels, 4096u);
  for (unsigned i = 0; i < 4096; ++i) {
    ASSERT_EQ(relay.client.to_peer(static_cast<std::uint16_t>(0x4000 + i), ""),
              std::to_string(relay.client.port()) + " 192.0.2.1:" + std::to_string(1 + i) + " ");
  }
  ASSERT_EQ(relay.client.refresh(0), 0);
  EXPECT_EQ(relay.server.gauges().bound_channels, 0u);
  relay.expect_consistent();
}

TEST(Refresh, SetsTheLifetimeFromNow) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  EXPECT_EQ(client.refresh(), 437);
  ASSERT_EQ(client.allocate(), 0);
  relay.advance(500s);
  ASSERT_EQ(client.refresh(), 0);
  EXPECT_EQ(client.last.lifetime, 600u);
  EXPECT_EQ(relay.server.poll_timeout(), relay.now.boot + 600s) << "not added to what was left";
  ASSERT_EQ(client.refresh(999999), 0);
  EXPECT_EQ(client.last.lifetime, 3600u);
  ASSERT_EQ(client.ask(stun::Method::refresh,
                       [](stun::MessageWriter& writer) {
                         writer.add_transport(stun::kTransportUdp);
                         writer.add_family(stun::Attribute::additional_address_family, Family::v6);
                         writer.add_family(stun::Attribute::requested_address_family, Family::v6);
                       }),
            0)
      << "families and transport are ignored";
}

TEST(Refresh, OfZeroDeletesAtOnceAndAnswersLast) {
  Bound relay;
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  ASSERT_EQ(relay.client.bind(kNumber + 1, kOther), 0);
  relay.host.effects.clear();
  ASSERT_EQ(relay.client.refresh(0), 0);
  EXPECT_EQ(relay.client.last.lifetime, 0u);
  EXPECT_EQ(relay.host.effects,
            (std::vector<std::string>{"withdraw 4001 192.0.2.34:52625", "withdraw 4000 192.0.2.33:52625",
                                      "close " + std::to_string(relay.client.port()), "answer"}));
  EXPECT_FALSE(relay.server.poll_timeout().has_value());
  ASSERT_EQ(relay.client.allocate(), 0);
  EXPECT_EQ(relay.client.bind(kNumber, kOther), 0) << "no cool-down";
}

TEST(Expiry, OfAnAllocationDeletesItsChannels) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  ASSERT_EQ(client.allocate(), 0);
  relay.advance(300s);
  ASSERT_EQ(client.bind(kNumber, kPeer), 0);
  relay.host.effects.clear();
  relay.advance(300s);
  EXPECT_EQ(relay.host.effects,
            (std::vector<std::string>{"withdraw 4000 192.0.2.33:52625", "close " + std::to_string(client.port())}));
  EXPECT_EQ(client.to_peer(kNumber, "x"), "dropped");
  EXPECT_EQ(relay.count(ServerCounter::drop_client_unknown_channel), 1u);
  relay.advance(2000s);
  relay.expect_consistent();
}

struct DataRow {
  std::string_view rule;
  std::string_view from;
  std::string hex;
  std::string forwarded;  // hex; "-": dropped
  ServerCounter counter;
};
const DataRow kData[] = {
    {"whole", "198.51.100.7:51820", "4000 0002 6869", "6869", ServerCounter::to_peer},
    {"bytes behind the stated ones are padding", "198.51.100.7:51820", "4000 0001 68690000", "68",
     ServerCounter::to_peer},
    {"empty", "198.51.100.7:51820", "4000 0000", "", ServerCounter::to_peer},
    {"fewer bytes than stated", "198.51.100.7:51820", "4000 0003 6869", "-", ServerCounter::drop_client_short},
    {"3 bytes", "198.51.100.7:51820", "4000 00", "-", ServerCounter::drop_client_short},
    {"no bytes", "198.51.100.7:51820", "", "-", ServerCounter::drop_client_short},
    {"number not bound", "198.51.100.7:51820", "4001 0000", "-", ServerCounter::drop_client_unknown_channel},
    {"number 0x5000", "198.51.100.7:51820", "5000 0000", "-", ServerCounter::drop_client_bad_channel},
    {"neither STUN nor channel data", "198.51.100.7:51820", "ff00 0000", "-", ServerCounter::drop_client_bad_channel},
    {"another port of the client", "198.51.100.7:51821", "4000 0000", "-", ServerCounter::drop_client_unknown_channel},
    {"another address", "198.51.100.8:51820", "4000 0000", "-", ServerCounter::drop_client_unknown_channel},
};

TEST(Data, OfClientsIsForwardedOrCounted) {
  for (const DataRow& row : kData) {
    SCOPED_TRACE(row.rule);
    Bound relay;
    ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
    const auto datagram = crypto::from_hex(row.hex);
    const auto way = relay.server.from_client(at(row.from), datagram);
    ASSERT_EQ(way.has_value(), row.forwarded != "-");
    EXPECT_EQ(relay.count(row.counter), 1u);
    if (way) {
      EXPECT_EQ(crypto::to_hex(ConstBytes(datagram).subspan(4, way->bytes)), row.forwarded);
      EXPECT_EQ(way->port, relay.client.port());
      EXPECT_EQ(way->peer, at(kPeer));
      EXPECT_EQ(relay.count(ServerCounter::client_bytes), way->bytes) << "without the channel header";
    }
    relay.expect_consistent();
  }
}

TEST(Data, OfPeersNeedsTheExactAddressAndPort) {
  Bound relay;
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  EXPECT_EQ(from_peer(relay, relay.client.port(), kPeer), "198.51.100.7:51820 4000");
  EXPECT_EQ(from_peer(relay, relay.client.port(), "192.0.2.33:52626"), "dropped");
  EXPECT_EQ(from_peer(relay, relay.client.port(), kOther), "dropped");
  EXPECT_EQ(relay.count(ServerCounter::drop_peer_unknown), 2u);
  const auto free_port = static_cast<std::uint16_t>(relay.client.port() == 50000 ? 50001 : 50000);
  EXPECT_EQ(from_peer(relay, free_port, kPeer), "dropped");
  EXPECT_EQ(from_peer(relay, 1, kPeer), "dropped");
  EXPECT_EQ(relay.count(ServerCounter::drop_peer_no_allocation), 2u);
  EXPECT_EQ(relay.count(ServerCounter::peer_bytes), 100u);
  relay.expect_consistent();
}

TEST(Data, ATrainOfOnePeerTakesOneLookup) {
  Bound relay;
  ASSERT_EQ(relay.client.bind(kNumber, kPeer), 0);
  ASSERT_TRUE(relay.server.from_peer(relay.client.port(), at(kPeer), 12800, 10).has_value());
  ASSERT_FALSE(relay.server.from_peer(relay.client.port(), at(kOther), 12800, 7).has_value());
  EXPECT_EQ(relay.count(ServerCounter::peer_datagrams), 17u);
  EXPECT_EQ(relay.count(ServerCounter::to_client), 10u);
  EXPECT_EQ(relay.count(ServerCounter::drop_peer_unknown), 7u);
  EXPECT_EQ(relay.count(ServerCounter::peer_bytes), 12800u);
  relay.expect_consistent();
}

struct WayRow {
  std::string_view rule;
  std::string_view client;
  std::string_view peer;
};
const WayRow kWays[] = {
    {"IPv4 to IPv4", "198.51.100.7:1", "192.0.2.33:2"},
    {"IPv4 to IPv6", "198.51.100.7:1", "[2001:db8:f::33]:2"},
    {"IPv6 to IPv4", "[2001:db8:c::7]:1", "192.0.2.33:2"},
    {"IPv6 to IPv6", "[2001:db8:c::7]:1", "[2001:db8:f::33]:2"},
};

TEST(Data, PassesBetweenAllFamilies) {
  for (const WayRow& row : kWays) {
    SCOPED_TRACE(row.rule);
    Relay relay;
    Client client(relay, row.client);
    ASSERT_EQ(client.allocate(), 0);
    ASSERT_EQ(client.bind(0x4321, row.peer), 0);
    EXPECT_EQ(client.to_peer(0x4321, "ping"), std::to_string(client.port()) + " " + std::string(row.peer) + " ping");
    EXPECT_EQ(from_peer(relay, client.port(), row.peer), std::string(row.client) + " 4321");
  }
}

TEST(Data, TwoClientsWithTheSameNumberAndPeerDoNotMix) {
  Relay relay;
  const auto password = FirezoneCredentials(kSecret).password("4102444800:second");
  Client first(relay, "198.51.100.7:51820");
  Client second(relay, "198.51.100.7:51821", "4102444800:second", password->view());
  ASSERT_EQ(first.allocate(), 0);
  ASSERT_EQ(second.allocate(), 0);
  ASSERT_EQ(first.bind(kNumber, kPeer), 0);
  ASSERT_EQ(second.bind(kNumber, kPeer), 0);
  EXPECT_EQ(first.to_peer(kNumber, ""), std::to_string(first.port()) + " " + std::string(kPeer) + " ");
  EXPECT_EQ(second.to_peer(kNumber, ""), std::to_string(second.port()) + " " + std::string(kPeer) + " ");
  EXPECT_EQ(from_peer(relay, first.port(), kPeer), "198.51.100.7:51820 4000");
  EXPECT_EQ(from_peer(relay, second.port(), kPeer), "198.51.100.7:51821 4000");
  ASSERT_EQ(first.refresh(0), 0);
  EXPECT_EQ(from_peer(relay, second.port(), kPeer), "198.51.100.7:51821 4000");
}

TEST(Data, APortUsedAgainDoesNotBringTheOldPeers) {
  ServerConfig config = firezone_config();
  config.lowest_port = config.highest_port = 50000;
  Relay relay(config);
  Client first(relay, "198.51.100.7:51820");
  ASSERT_EQ(first.allocate(), 0);
  ASSERT_EQ(first.bind(kNumber, kPeer), 0);
  ASSERT_EQ(first.refresh(0), 0);
  EXPECT_EQ(relay.server.gauges().bound_channels, 0u);
  Client second(relay, "198.51.100.8:51820");
  ASSERT_EQ(second.allocate(), 0);
  ASSERT_EQ(second.port(), 50000);
  EXPECT_EQ(from_peer(relay, 50000, kPeer), "dropped");
  EXPECT_EQ(first.to_peer(kNumber, "x"), "dropped");
}

}  // namespace
}  // namespace fireline::relay
