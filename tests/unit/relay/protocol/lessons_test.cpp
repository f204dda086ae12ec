// The relay specification's section 7, "TURN server": each bug that was once fixed elsewhere, as one test.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/core/crypto/hex.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr std::string_view kPeer = "192.0.2.33:52625";
constexpr std::string_view kOther = "192.0.2.34:52625";

struct Lesson : testing::Test {
  Lesson() { EXPECT_EQ(client.allocate(hour), 0); }
  static void hour(stun::MessageWriter& writer) {
    writer.add_u32(stun::Attribute::lifetime, 3600);
    writer.add_family(stun::Attribute::additional_address_family, Family::v6);
  }
  long events(EventKind kind) {
    return std::ranges::count_if(relay.host.events, [&](const Event& event) { return event.kind == kind; });
  }
  Relay relay;
  Client client{relay, "198.51.100.7:51820"};
};

TEST_F(Lesson, AStaleNonceIs438AndNever401) {
  client.nonce = "99999999-9999-9999-9999-999999999999";
  EXPECT_EQ(client.ask(stun::Method::refresh, {}), 438);
  EXPECT_EQ(relay.count(ServerCounter::stale_nonces), 1u);
  EXPECT_EQ(client.last.integrity, stun::Check::good);
  EXPECT_EQ(client.ask(stun::Method::refresh, {}), 0) << "the client recovers with the nonce of the answer";
}

TEST_F(Lesson, RequestsWhoseAttributesDoNotDecodeAreAnswered) {
  const auto answer =
      relay.send(client.endpoint, crypto::from_hex("000900082112a442000000000000000000000001 000c0004 30000000"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(stun::MessageView::parse(*answer)->find_error_code()->code, 400);
}

TEST_F(Lesson, ChannelDataLongerThanItsLengthIsForwardedWithoutTheRest) {
  ASSERT_EQ(client.bind(0x4000, kPeer), 0);
  const auto way = relay.server.from_client(client.endpoint, crypto::from_hex("40000002 68690000"));
  ASSERT_TRUE(way.has_value());
  EXPECT_EQ(way->bytes, 2u);
}

TEST_F(Lesson, ChannelsBelongToTheClientSocket) {
  const std::string name = "4102444800:other";
  Client other(relay, "198.51.100.7:51821", name, FirezoneCredentials(kSecret).password(name)->view());
  ASSERT_EQ(other.allocate(), 0);
  ASSERT_EQ(client.bind(0x4000, kPeer), 0);
  ASSERT_EQ(other.bind(0x4000, kOther), 0);
  EXPECT_EQ(client.to_peer(0x4000, "x"), std::to_string(client.port()) + " " + std::string(kPeer) + " x");
  EXPECT_EQ(other.to_peer(0x4000, "x"), std::to_string(other.port()) + " " + std::string(kOther) + " x");
}

TEST_F(Lesson, ChannelsThatAreNotRefreshedEndAndFreeTheirNumberAfterFifteenMinutes) {
  ASSERT_EQ(client.bind(0x4000, kPeer), 0);
  relay.advance(899s);
  EXPECT_EQ(client.bind(0x4000, kOther), 400);
  relay.advance(1s);
  EXPECT_EQ(client.bind(0x4000, kOther), 0);
}

TEST_F(Lesson, RefreshOfZeroDeletesTheChannels) {
  ASSERT_EQ(client.bind(0x4000, kPeer), 0);
  ASSERT_EQ(client.refresh(0), 0);
  EXPECT_EQ(relay.server.gauges().bound_channels, 0u);
  EXPECT_EQ(relay.server.gauges().cooling_channels, 0u);
  EXPECT_TRUE(relay.host.entries.empty());
}

TEST_F(Lesson, AnExpiryIsReportedOnceAndNotAgainWithTheAllocation) {
  ASSERT_EQ(client.bind(0x4000, kPeer), 0);
  relay.advance(600s);
  relay.advance(1s);
  ASSERT_EQ(client.refresh(0), 0);
  relay.advance(3600s);
  EXPECT_EQ(events(EventKind::channel_expired), 1);
  EXPECT_EQ(events(EventKind::channel_deleted), 1);
  EXPECT_EQ(events(EventKind::allocation_deleted), 1);
  EXPECT_EQ(events(EventKind::allocation_expired), 0);
  relay.expect_consistent();
}

TEST_F(Lesson, ACoolingChannelRevivesWithPeerLookupAndEntries) {
  ASSERT_EQ(client.bind(0x4000, kPeer), 0);
  relay.advance(899s);
  EXPECT_EQ(from_peer(relay, client.port(), kPeer), "dropped");
  EXPECT_EQ(client.to_peer(0x4000, "x"), "dropped");
  EXPECT_EQ(relay.count(ServerCounter::drop_client_cooling_down), 1u);
  EXPECT_TRUE(relay.host.entries.empty());
  ASSERT_EQ(client.bind(0x4000, kPeer), 0);
  EXPECT_EQ(from_peer(relay, client.port(), kPeer), "198.51.100.7:51820 4000");
  EXPECT_NE(client.to_peer(0x4000, "x"), "dropped");
  EXPECT_EQ(relay.host.entries.size(), 1u);
  EXPECT_EQ(relay.count(ServerCounter::channels_revived), 1u);
}

TEST_F(Lesson, ErrorsToAuthenticatedRequestsAreSigned) {
  EXPECT_EQ(client.allocate(), 437);
  EXPECT_EQ(client.last.integrity, stun::Check::good);
  ASSERT_EQ(client.bind(0x4000, kPeer), 0);
  EXPECT_EQ(client.bind(0x4001, kPeer), 400);
  EXPECT_EQ(client.last.integrity, stun::Check::good);
  ASSERT_EQ(client.refresh(0), 0);
  EXPECT_EQ(client.refresh(), 437);
  EXPECT_EQ(client.last.integrity, stun::Check::good);
}

TEST_F(Lesson, AnUndecodableDatagramLeavesNothingBehindForTheNext) {
  for (const std::string_view garbage :
       {"00", "000100082112a442000000000000000000000001 80220009",
        "000100082112a442000000000000000000000001 8022ffff 00000000", "00010000ffffffff000000000000000000000001"}) {
    relay.server.handle_control(relay.now, client.endpoint, crypto::from_hex(garbage));
    EXPECT_EQ(client.ask(stun::Method::binding, {}), 0);
    EXPECT_EQ(client.refresh(), 0);
  }
}

TEST_F(Lesson, ANonceServesTenThousandRequests) {
  const std::string nonce = client.nonce;
  for (int use = 2; use <= 10000; ++use) ASSERT_EQ(client.ask(stun::Method::refresh, {}), 0) << use;
  EXPECT_EQ(client.nonce, nonce);
}

TEST_F(Lesson, AUsernameHasOneAllocation) {
  Client again(relay, "198.51.100.7:40000");
  ASSERT_EQ(again.allocate(), 0);
  EXPECT_EQ(relay.server.gauges().allocations, 1u);
  EXPECT_EQ(client.refresh(), 437);
}

TEST(Lessons, NoncesOfStrangersAreBounded) {
  ServerConfig config = firezone_config();
  config.limits.nonces = 100;
  config.limits.answers_burst_source = 1000;
  Relay relay(config);
  for (int port = 1; port <= 300; ++port) {
    Client stranger(relay, "198.51.100.9:" + std::to_string(port));
    ASSERT_EQ(stranger.ask(stun::Method::refresh, {}), 401);
  }
  EXPECT_EQ(relay.server.gauges().nonces, 100u);
  EXPECT_EQ(relay.count(ServerCounter::nonces_evicted), 200u);
}

TEST(Lessons, SourcePortZeroIsNotAnswered) {
  Relay relay;
  Client nobody(relay, "198.51.100.9:0");
  EXPECT_EQ(nobody.ask(stun::Method::binding, {}), -1);
  EXPECT_EQ(nobody.allocate(), -1);
}

TEST_F(Lesson, RelayedAddressesAndPeersOfIpv6AreServed) {
  EXPECT_EQ(client.bind(0x4000, "[2001:db8:f::33]:1"), 0);
  EXPECT_EQ(from_peer(relay, client.port(), "[2001:db8:f::33]:1"), "198.51.100.7:51820 4000");
}

}  // namespace
}  // namespace fireline::relay
