// --auth static: RFC 8656 sections 9 to 12. Permissions, Send and Data indications, and channels that obey permissions.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/core/crypto/hex.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr std::string_view kPeer = "192.0.2.33:52625";
constexpr std::string_view kSocket = "198.51.100.7:51820";

struct Site : Relay {
  explicit Site(ServerConfig config = static_config())
      : Relay(std::move(config)), client(*this, kSocket, "a", "pa", "example.org") {
    EXPECT_EQ(client.allocate([](stun::MessageWriter& writer) {
      writer.add_u32(stun::Attribute::lifetime, 3600);
      writer.add_family(stun::Attribute::additional_address_family, Family::v6);
    }),
              0);
    host.effects.clear();
  }
  Client client;
};

TEST(Permission, LetsAnyPortOfTheAddressInForFiveMinutes) {
  Site relay;
  const std::uint16_t port = relay.client.port();
  EXPECT_EQ(from_peer(relay, port, kPeer), "dropped");
  ASSERT_EQ(relay.client.permit({"192.0.2.33:7"}), 0);
  EXPECT_EQ(from_peer(relay, port, kPeer), std::string(kSocket) + " 0");
  EXPECT_EQ(from_peer(relay, port, "192.0.2.33:1"), std::string(kSocket) + " 0");
  EXPECT_EQ(from_peer(relay, port, "192.0.2.34:52625"), "dropped");
  relay.advance(300s - 1ns);
  EXPECT_EQ(from_peer(relay, port, kPeer), std::string(kSocket) + " 0");
  relay.advance(1ns);
  EXPECT_EQ(from_peer(relay, port, kPeer), "dropped");
  EXPECT_EQ(relay.count(ServerCounter::permissions_expired), 1u);
}

TEST(Permission, IsRefreshedByTheSameRequest) {
  Site relay;
  ASSERT_EQ(relay.client.permit({"192.0.2.33:7"}), 0);
  relay.advance(200s);
  ASSERT_EQ(relay.client.permit({"192.0.2.33:8"}), 0);
  relay.advance(200s);
  EXPECT_EQ(from_peer(relay, relay.client.port(), kPeer), std::string(kSocket) + " 0");
  EXPECT_EQ(relay.server.gauges().permissions, 1u);
}

struct PermitRow {
  std::string_view rule;
  std::vector<std::string> peers;
  Code code;
  std::size_t installed;
};
const PermitRow kPermits[] = {
    {"one", {"192.0.2.1:0"}, 0, 1},
    {"several at once", {"192.0.2.1:0", "192.0.2.2:0", "[2001:db8:f::1]:0"}, 0, 3},
    {"the same twice is one", {"192.0.2.1:0", "192.0.2.1:1"}, 0, 1},
    {"none", {}, 400, 0},
    {"a refused one refuses all", {"192.0.2.1:0", "127.0.0.1:0"}, 403, 0},
    {"wherever it stands", {"127.0.0.1:0", "192.0.2.1:0"}, 403, 0},
    {"a private one with --auth static", {"10.0.0.1:0"}, 403, 0},
    {"more than the limit, none of them", {"192.0.2.1:0", "192.0.2.2:0", "192.0.2.3:0", "192.0.2.4:0"}, 508, 0},
};

TEST(Permission, ARequestIsGrantedWholeOrNotAtAll) {
  for (const PermitRow& row : kPermits) {
    SCOPED_TRACE(row.rule);
    ServerConfig config = static_config();
    config.limits.permissions_per_allocation = 3;
    Site relay(config);
    EXPECT_EQ(relay.client.permit(row.peers), row.code);
    EXPECT_EQ(relay.client.last.integrity, stun::Check::good);
    EXPECT_EQ(relay.server.gauges().permissions, row.installed);
    EXPECT_EQ(relay.count(ServerCounter::limit_permissions), row.code == 508 ? 1u : 0u);
    relay.expect_consistent();
  }
}

TEST(Permission, NeedsAnAllocationAndItsFamily) {
  Relay relay(static_config());
  Client client(relay, kSocket, "a", "pa", "example.org");
  EXPECT_EQ(client.permit({"192.0.2.1:0"}), 437);
  ASSERT_EQ(client.allocate([](stun::MessageWriter&) {}), 0);
  EXPECT_EQ(client.permit({"[2001:db8:f::1]:0"}), 443);
}

TEST(Permission, WithAuthFirezoneIsAnAuthenticatedNoOp) {
  Relay relay;
  Client client(relay, kSocket);
  EXPECT_EQ(client.permit({"192.0.2.1:0"}), 0) << "even without an allocation";
  EXPECT_EQ(client.permit({}), 0);
  EXPECT_EQ(client.permit({"10.0.0.1:0"}), 0);
  EXPECT_EQ(client.permit({"127.0.0.1:0"}), 403) << "but no refused peer is granted";
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_EQ(client.permit({"192.0.2.1:0"}), 0);
  EXPECT_EQ(from_peer(relay, client.port(), "192.0.2.1:5"), "dropped");
}

TEST(SendIndication, GoesOutWithAPermissionAlone) {
  Site relay;
  relay.client.send_indication(kPeer, "early");
  EXPECT_EQ(relay.count(ServerCounter::drop_control_no_permission), 1u);
  ASSERT_EQ(relay.client.permit({std::string(kPeer)}), 0);
  relay.host.effects.clear();
  relay.client.send_indication(kPeer, "hello");
  relay.client.send_indication(kPeer, "");
  const std::string way = "peer " + std::to_string(relay.client.port()) + " " + std::string(kPeer) + " ";
  EXPECT_EQ(relay.host.effects, (std::vector<std::string>{way + "hello", way}));
  relay.client.send_indication("127.0.0.1:1", "x");
  EXPECT_EQ(relay.count(ServerCounter::drop_control_refused_peer), 1u);
  Client stranger(relay, "198.51.100.9:1");
  stranger.send_indication(kPeer, "x");
  EXPECT_EQ(relay.count(ServerCounter::drop_control_no_allocation), 1u);
  EXPECT_FALSE(relay.send(relay.client.endpoint, crypto::from_hex("001600002112a442000000000000000000000001")));
  EXPECT_EQ(relay.count(ServerCounter::drop_control_malformed), 1u) << "without peer and data";
  relay.advance(300s);
  relay.client.send_indication(kPeer, "late");
  EXPECT_EQ(relay.count(ServerCounter::drop_control_no_permission), 2u);
  relay.expect_consistent();
}

TEST(DataIndication, CarriesPeerAndData) {
  Site relay;
  ASSERT_EQ(relay.client.permit({std::string(kPeer)}), 0);
  const auto way = relay.server.from_peer(relay.client.port(), at(kPeer), 5);
  ASSERT_TRUE(way.has_value());
  ASSERT_EQ(way->channel, 0);
  std::vector<std::byte> out(5 + kDataIndicationOverheadMax);
  const auto data = crypto::from_text("hello");
  const std::size_t bytes = relay.server.write_data_indication(*way, at(kPeer), data, out);
  const auto message = stun::MessageView::parse(ConstBytes(out).first(bytes));
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(message->is(stun::MessageClass::indication, stun::Method::data));
  EXPECT_EQ(message->find_xor_address(stun::Attribute::xor_peer_address), at(kPeer));
  EXPECT_TRUE(std::ranges::equal(*message->find(stun::Attribute::data), data));
  relay.expect_consistent();

  const stun::TransactionId first = message->transaction_id();
  ASSERT_TRUE(relay.server.from_peer(relay.client.port(), at(kPeer), 5).has_value());
  ASSERT_NE(relay.server.write_data_indication(*way, at(kPeer), data, out), 0u);
  EXPECT_NE(stun::Header::parse(ConstBytes(out).first(bytes))->transaction_id, first);
}

TEST(DataIndication, ThatDoesNotFitIsCounted) {
  Site relay;
  ASSERT_EQ(relay.client.permit({std::string(kPeer)}), 0);
  std::vector<std::byte> out(70000);
  for (const std::size_t bytes : {65468u, 65469u, 65507u, 65535u}) {
    SCOPED_TRACE(bytes);
    const auto way = relay.server.from_peer(relay.client.port(), at(kPeer), bytes);
    ASSERT_TRUE(way.has_value());
    const std::vector<std::byte> data(bytes);
    const std::size_t written = relay.server.write_data_indication(*way, at(kPeer), data, out);
    EXPECT_LE(written, 65507u);
    EXPECT_EQ(written == 0, bytes > 65468u);
  }
  const auto way = relay.server.from_peer(relay.client.port(), at(kPeer), 100);
  EXPECT_EQ(relay.server.write_data_indication(*way, at(kPeer), std::vector<std::byte>(100), Bytes(out).first(100)),
            0u);
  EXPECT_EQ(relay.count(ServerCounter::drop_peer_too_big), 4u);
  relay.expect_consistent();
}

TEST(StaticChannel, ForwardsWhileItsPermissionLasts) {
  Site relay;
  const std::uint16_t port = relay.client.port();
  ASSERT_EQ(relay.client.bind(0x4000, kPeer), 0);
  EXPECT_EQ(relay.server.gauges().permissions, 1u) << "a bind installs one";
  EXPECT_EQ(relay.host.entries.begin()->second.expires, relay.now.boot + 300s);
  EXPECT_EQ(from_peer(relay, port, kPeer), std::string(kSocket) + " 4000");
  EXPECT_EQ(from_peer(relay, port, "192.0.2.33:1"), std::string(kSocket) + " 0") << "another port of the address";

  relay.advance(300s);
  EXPECT_EQ(relay.client.to_peer(0x4000, "x"), "dropped");
  EXPECT_EQ(from_peer(relay, port, kPeer), "dropped");
  EXPECT_EQ(relay.count(ServerCounter::drop_client_no_permission), 1u);
  EXPECT_EQ(relay.count(ServerCounter::drop_peer_no_permission), 1u);
  EXPECT_TRUE(relay.host.entries.empty());

  ASSERT_EQ(relay.client.permit({"192.0.2.33:0"}), 0);
  EXPECT_NE(relay.client.to_peer(0x4000, "x"), "dropped");
  EXPECT_EQ(relay.host.entries.begin()->second.expires, relay.now.boot + 300s) << "offered again";
  relay.advance(200s);
  ASSERT_EQ(relay.client.permit({"192.0.2.33:0"}), 0);
  EXPECT_EQ(relay.host.entries.begin()->second.expires, relay.now.boot + 100s) << "the channel ends first";
  relay.advance(100s);
  EXPECT_TRUE(relay.host.entries.empty());
  EXPECT_EQ(from_peer(relay, port, kPeer), std::string(kSocket) + " 0") << "unbound, permitted";
  relay.expect_consistent();
}

TEST(StaticChannel, IsForwardedInUserSpaceWhenItsPermissionComesBackToAFullFastPath) {
  Site relay;
  const std::uint16_t port = relay.client.port();
  ASSERT_EQ(relay.client.bind(0x4000, kPeer), 0);
  relay.advance(300s);
  ASSERT_TRUE(relay.host.entries.empty());

  relay.host.next_offload = Host::Offload::full;
  ASSERT_EQ(relay.client.permit({"192.0.2.33:0"}), 0) << "what is asked for needs no entry";
  EXPECT_EQ(relay.count(ServerCounter::offload_full), 1u);
  EXPECT_NE(relay.client.to_peer(0x4000, "x"), "dropped");
  EXPECT_EQ(from_peer(relay, port, kPeer), std::string(kSocket) + " 4000");
  ASSERT_EQ(relay.client.refresh(), 0);
  EXPECT_EQ(relay.count(ServerCounter::offload_full), 2u) << "tried again";
  EXPECT_NE(relay.client.to_peer(0x4000, "x"), "dropped");

  relay.host.next_offload = Host::Offload::done;
  ASSERT_EQ(relay.client.refresh(), 0);
  EXPECT_EQ(relay.host.entries.size(), 1u) << "and in place once there is room";
  relay.expect_consistent();
}

TEST(StaticChannel, ThatWorksInUserSpaceIsRefreshedThereWhileTheFastPathIsFull) {
  Site relay;
  ASSERT_EQ(relay.client.bind(0x4000, kPeer), 0);
  relay.advance(300s);
  relay.host.next_offload = Host::Offload::full;
  ASSERT_EQ(relay.client.permit({"192.0.2.33:0"}), 0);
  relay.advance(240s);
  EXPECT_EQ(relay.client.bind(0x4000, kPeer), 0);
  EXPECT_EQ(relay.client.bind(0x4001, "192.0.2.34:1"), 508) << "a new one is told to go elsewhere";
  relay.advance(60s);
  EXPECT_NE(relay.client.to_peer(0x4000, "x"), "dropped") << "600 s after the first bind";
  relay.host.next_offload = Host::Offload::done;
  ASSERT_EQ(relay.client.bind(0x4000, kPeer), 0);
  EXPECT_EQ(relay.host.entries.size(), 1u) << "in place once there is room";
  relay.expect_consistent();
}

// By two ways, padded datagrams here and the others by the fast path, they would not stay in order.
TEST(StaticChannel, StaysInUserSpaceOnceItsClientPads) {
  Site relay;
  const auto send = [&](std::vector<std::uint8_t> bytes) {
    return relay.server.from_client(relay.client.endpoint, std::as_bytes(std::span(bytes))).has_value();
  };
  ASSERT_EQ(relay.client.bind(0x4000, kPeer), 0);
  ASSERT_EQ(relay.client.bind(0x4001, "192.0.2.34:1"), 0);
  relay.host.effects.clear();
  const auto& entry = relay.host.entries.at({std::string(kSocket), 0x4000});

  ASSERT_TRUE(send({0x40, 0, 0, 4, 1, 2, 3, 4}));
  EXPECT_TRUE(relay.host.effects.empty());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(send({0x40, 0, 0, 3, 1, 2, 3, 0}));
    EXPECT_EQ(relay.host.effects, std::vector<std::string>{"offload 4000 " + std::string(kPeer)}) << "once";
    EXPECT_TRUE(entry.padded);
  }
  EXPECT_FALSE(relay.host.entries.at({std::string(kSocket), 0x4001}).padded) << "another channel";
  ASSERT_EQ(relay.client.bind(0x4000, kPeer), 0);
  EXPECT_TRUE(entry.padded) << "when it is refreshed, too";
  relay.expect_consistent();
}

TEST(StaticChannel, NumbersGoUpToThoseOfRfc5766) {
  Site relay;
  EXPECT_EQ(relay.client.bind(0x7FFF, kPeer), 0);
  EXPECT_NE(relay.client.to_peer(0x7FFF, "x"), "dropped");
  EXPECT_EQ(relay.client.bind(0x8000, "192.0.2.1:1"), 400);
  EXPECT_EQ(relay.client.to_peer(0x8000, "x"), "dropped");
}

TEST(StaticChannel, AUserHasAShareOfAllChannelsAndTheRelayALimit) {
  ServerConfig config = static_config();
  config.limits.channels_per_user = 3;
  config.limits.channels = 4;
  Site relay(config);
  Client second(relay, "198.51.100.7:1", "a", "pa", "example.org");
  Client other(relay, "198.51.100.8:1", "b", "pb", "example.org");
  ASSERT_EQ(second.allocate([](stun::MessageWriter&) {}), 0);
  ASSERT_EQ(other.allocate([](stun::MessageWriter&) {}), 0);
  ASSERT_EQ(relay.client.bind(0x4000, "192.0.2.1:1"), 0);
  ASSERT_EQ(relay.client.bind(0x4001, "192.0.2.1:2"), 0);
  ASSERT_EQ(second.bind(0x4000, "192.0.2.1:1"), 0);
  EXPECT_EQ(second.bind(0x4001, "192.0.2.1:2"), 508) << "all allocations of a user count";
  EXPECT_EQ(relay.count(ServerCounter::limit_user_channels), 1u);
  EXPECT_EQ(second.bind(0x4000, "192.0.2.1:1"), 0) << "a refresh needs no room";
  ASSERT_EQ(other.bind(0x4000, "192.0.2.1:1"), 0);
  EXPECT_EQ(other.bind(0x4001, "192.0.2.1:2"), 508) << "the relay's are in use";
  EXPECT_EQ(relay.count(ServerCounter::limit_all_channels), 1u);
  ASSERT_EQ(relay.client.refresh(0), 0);
  EXPECT_EQ(second.bind(0x4001, "192.0.2.1:2"), 0) << "those of an allocation that ended are free";
  EXPECT_EQ(other.bind(0x4001, "192.0.2.1:2"), 0);
  relay.expect_consistent();
}

TEST(StaticChannel, NeedsRoomForItsPermission) {
  ServerConfig config = static_config();
  config.limits.permissions_per_allocation = 1;
  Site relay(config);
  ASSERT_EQ(relay.client.bind(0x4000, "192.0.2.1:1"), 0);
  EXPECT_EQ(relay.client.bind(0x4001, "192.0.2.1:2"), 0) << "the same address needs no other one";
  EXPECT_EQ(relay.client.bind(0x4002, "192.0.2.2:1"), 508);
  EXPECT_EQ(relay.count(ServerCounter::limit_permissions), 1u);
}

TEST(Permission, EndsWithTheAllocation) {
  Site relay;
  ASSERT_EQ(relay.client.permit({std::string(kPeer), "192.0.2.1:0"}), 0);
  ASSERT_EQ(relay.client.refresh(0), 0);
  EXPECT_EQ(relay.server.gauges().permissions, 0u);
  EXPECT_FALSE(relay.server.poll_timeout().has_value());
  relay.expect_consistent();
}

}  // namespace
}  // namespace fireline::relay
