// Configuration: the meaning of each field, as `wg set`, `wg setconf` and `wg syncconf` rely on it.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/crypto/x25519.h"
#include "core/wireguard/constants.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

crypto::PublicKey key(std::uint8_t number) {
  crypto::PublicKey result;
  result.bytes.fill(static_cast<std::byte>(number));
  return result;
}

class DeviceConfigure : public testing::Test {
 protected:
  bool apply(PeerUpdate peer) {
    DeviceUpdate update;
    update.peers.push_back(std::move(peer));
    return world.a.device.apply(world.now, update, world.a.output);
  }
  std::vector<std::string> allowed_ips(const crypto::PublicKey& wanted) {
    std::vector<std::string> texts;
    for (const PeerStatus& peer : world.a.device.status().peers) {
      if (peer.public_key != wanted) continue;
      for (const Prefix& prefix : peer.allowed_ips) texts.push_back(prefix.to_string());
    }
    return texts;
  }
  std::vector<crypto::PublicKey> peers() {
    std::vector<crypto::PublicKey> keys;
    for (const PeerStatus& peer : world.a.device.status().peers) keys.push_back(peer.public_key);
    return keys;
  }
  World world;
};

using Texts = std::vector<std::string>;
using Keys = std::vector<crypto::PublicKey>;

TEST_F(DeviceConfigure, StatusShowsWhatWasSet) {
  PeerUpdate update = peer_update(key(5), {"10.7.0.0/16", "fd07::/64"});
  update.preshared_key = seeded_key(44);
  update.endpoint = Endpoint::parse("203.0.113.5:5");
  update.persistent_keepalive_seconds = 33;
  EXPECT_TRUE(apply(update));
  const DeviceStatus status = world.a.device.status();
  EXPECT_EQ(status.public_key, world.a.public_key);
  ASSERT_EQ(status.peers.size(), 2u);
  const PeerStatus& shown = status.peers[1];
  EXPECT_EQ(shown.public_key, key(5));
  EXPECT_EQ(shown.preshared_key, seeded_key(44));
  EXPECT_EQ(shown.endpoint, Endpoint::parse("203.0.113.5:5"));
  EXPECT_EQ(shown.persistent_keepalive_seconds, 33u);
  EXPECT_EQ(shown.last_handshake, std::nullopt);
  EXPECT_EQ(allowed_ips(key(5)), (Texts{"10.7.0.0/16", "fd07::/64"}));
}

TEST_F(DeviceConfigure, AllowedIpsAreAddedReplacedRemovedAndMoved) {
  apply(peer_update(key(5), {"10.7.0.0/16"}));
  apply(peer_update(key(5), {"10.8.0.0/16"}));
  EXPECT_EQ(allowed_ips(key(5)), (Texts{"10.7.0.0/16", "10.8.0.0/16"}));
  PeerUpdate update = peer_update(key(5), {"10.9.0.0/16"});
  update.replace_allowed_ips = true;
  apply(update);
  EXPECT_EQ(allowed_ips(key(5)), Texts{"10.9.0.0/16"});
  update = peer_update(key(5), {"10.9.0.0/16"});
  update.allowed_ips[0].remove = true;
  apply(peer_update(key(6), {"10.9.0.0/16"}));
  EXPECT_EQ(allowed_ips(key(5)), Texts{}) << "no prefix belongs to two";
  apply(update);
  EXPECT_EQ(allowed_ips(key(6)), Texts{"10.9.0.0/16"}) << "not this peer's to remove";
  update.public_key = key(6);
  apply(update);
  EXPECT_EQ(allowed_ips(key(6)), Texts{});
}

TEST_F(DeviceConfigure, PeersComeAndGo) {
  PeerUpdate only = peer_update(key(5));
  only.update_only = true;
  apply(only);
  EXPECT_EQ(peers(), Keys{world.b.public_key}) << "update_only makes no peer";
  PeerUpdate remove = peer_update(key(5));
  remove.remove = true;
  apply(remove);
  apply(peer_update(key(5)));
  apply(peer_update(key(6)));
  EXPECT_EQ(peers(), (Keys{world.b.public_key, key(5), key(6)}));
  apply(remove);
  EXPECT_EQ(peers(), (Keys{world.b.public_key, key(6)}));
  DeviceUpdate replace;
  replace.replace_peers = true;
  replace.peers.push_back(peer_update(key(9)));
  world.a.device.apply(world.now, replace, world.a.output);
  EXPECT_EQ(peers(), Keys{key(9)});
  world.a.collect();
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::peer_created), 4u);
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::peer_removed), 3u);
}

TEST_F(DeviceConfigure, PeersThatWaitForTheirInitiationAreRemovedFromWhereverTheyStand) {
  for (std::uint8_t number = 10; number <= 20; ++number) {
    PeerUpdate update = peer_update(key(number));
    update.endpoint = Endpoint::parse("203.0.113.5:" + std::to_string(number));
    update.persistent_keepalive_seconds = 25;
    apply(update);
  }
  EXPECT_EQ(world.a.device.gauges().wanted_initiations, 11u);
  for (const std::uint8_t number : std::vector<std::uint8_t>{10, 15, 20}) {
    PeerUpdate remove = peer_update(key(number));
    remove.remove = true;
    apply(remove);
  }
  EXPECT_EQ(world.a.device.gauges().wanted_initiations, 8u);
  world.a.step(world.now);
  std::vector<int> ports;
  for (const Datagram& datagram : world.a.sent) ports.push_back(datagram.destination.port);
  EXPECT_EQ(ports, (std::vector{11, 12, 13, 14, 16, 17, 18, 19})) << "oldest first";
  std::vector<crypto::PublicKey> left = peers();
  EXPECT_EQ(left.size(), 9u);
  for (const std::uint8_t number : std::vector<std::uint8_t>{11, 12, 13, 14, 16, 17, 18, 19}) {
    EXPECT_EQ(std::ranges::count(left, key(number)), 1) << int{number};
  }
}

TEST_F(DeviceConfigure, TheOwnKeyIsNoPeer) {
  apply(peer_update(world.a.public_key, {"10.9.0.0/16"}));
  EXPECT_EQ(peers(), Keys{world.b.public_key});
  DeviceUpdate update;
  update.private_key = world.b.private_key;  // now the peer is ourselves
  world.a.device.apply(world.now, update, world.a.output);
  EXPECT_EQ(peers(), Keys{});
}

TEST_F(DeviceConfigure, TheSameKeyAgainBreaksNoSessionAnotherOneDoes) {
  world.connect();
  DeviceUpdate update;
  update.private_key = world.a.private_key;
  world.a.device.apply(world.now, update, world.a.output);
  world.a.send(world.now, a_to_b());
  EXPECT_EQ(world.a.sent.at(0).type(), 4u);
  world.settle();
  update.private_key = seeded_key(50);
  world.a.device.apply(world.now, update, world.a.output);
  EXPECT_NE(world.a.device.status().public_key, world.a.public_key);
  world.a.send(world.now, a_to_b());
  EXPECT_EQ(world.a.sent.at(0).type(), 1u);
  world.lose();
  world.b.send(world.now, b_to_a());
  world.carry(world.b, world.a);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_unknown_session), 1u);
  update.private_key = crypto::Key();
  world.a.device.apply(world.now, update, world.a.output);
  EXPECT_EQ(world.a.device.status().private_key, std::nullopt);
  world.b.device.set_up(world.now, false, world.b.output);
  world.b.device.set_up(world.now, true, world.b.output);
  world.b.send(world.now, b_to_a());
  world.carry(world.b, world.a);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_no_private_key), 1u);
  world.a.expect_ledger();
}

TEST_F(DeviceConfigure, AnotherKeyConnectsToWhoeverKnowsIt) {
  world.connect();
  DeviceUpdate update;
  update.private_key = seeded_key(50);
  world.a.device.apply(world.now, update, world.a.output);
  DeviceUpdate of_b;
  of_b.peers.push_back(peer_update(crypto::public_key(*update.private_key), {"10.0.0.1/32"}));
  world.b.device.apply(world.now, of_b, world.b.output);
  world.a.send(world.now, a_to_b());
  world.settle();
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
}

TEST_F(DeviceConfigure, AnEndpointSetLaterReleasesNothingButIsUsed) {
  apply(peer_update(key(5), {"10.7.0.0/16"}));
  world.a.send(world.now, udp_packet("10.0.0.1", "10.7.0.1", 10));
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_no_endpoint), 1u);
  PeerUpdate update = peer_update(key(5));
  update.endpoint = Endpoint::parse("[2001:db8::5]:5");
  apply(update);
  world.a.send(world.now, udp_packet("10.0.0.1", "10.7.0.1", 10));
  ASSERT_EQ(world.a.sent.size(), 1u);
  EXPECT_EQ(world.a.sent[0].destination, Endpoint::parse("[2001:db8::5]:5"));
}

TEST_F(DeviceConfigure, DownForgetsAndUpBeginsAnew) {
  world.connect();
  world.a.device.set_up(world.now, false, world.a.output);
  world.a.send(world.now, a_to_b());
  world.b.send(world.now, b_to_a());
  world.settle();
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_down), 1u);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_down), 1u);
  EXPECT_EQ(world.a.device.poll_timeout(), std::nullopt);
  world.now.boot += 1s;
  world.a.device.set_up(world.now, true, world.a.output);
  world.a.send(world.now, a_to_b());
  EXPECT_EQ(world.a.sent.at(0).type(), 1u) << "at once, without waiting for REKEY_TIMEOUT";
  world.settle();
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
  world.a.expect_ledger();
}

// With the profile that takes responses to its last two initiations.
TEST(DeviceDown, ForgetsTheEarlierInitiationAsWell) {
  World world({.profile = kFirezoneProfile});
  world.a.send(world.now, a_to_b());
  world.carry(world.a, world.b);
  const std::vector<Datagram> response = world.b.sent;
  world.advance_alone(world.a, 6s);
  ASSERT_EQ(world.a.sent_of_type(1), 1u) << "the second one";
  world.a.device.set_up(world.now, false, world.a.output);
  world.a.device.set_up(world.now, true, world.a.output);
  world.a.receive(world.now, response);
  world.a.step(world.now);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_bad_response), 1u);
  EXPECT_EQ(world.a.count(DeviceCounter::responses), 0u);
}

TEST_F(DeviceConfigure, UpStartsPersistentKeepalives) {
  world.a.device.set_up(world.now, false, world.a.output);
  PeerUpdate update = peer_update(world.b.public_key);
  update.persistent_keepalive_seconds = 25;
  apply(update);
  world.advance(100s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 0u);
  world.a.device.set_up(world.now, true, world.a.output);
  world.advance(0s);
  EXPECT_EQ(world.b.count(DeviceCounter::keepalives), 1u);
}

TEST_F(DeviceConfigure, RemovingAPeerDropsItsQueueAndTimers) {
  world.a.send(world.now, Packets(5, a_to_b()));
  EXPECT_EQ(world.a.device.gauges().queued_packets, 5u);
  PeerUpdate remove = peer_update(world.b.public_key);
  remove.remove = true;
  apply(remove);
  EXPECT_EQ(world.a.device.gauges().queued_packets, 0u);
  EXPECT_EQ(world.a.device.gauges().wanted_initiations, 0u);
  EXPECT_EQ(world.a.device.poll_timeout(), std::nullopt);
  EXPECT_EQ(world.a.small.out(), 0u);
  world.settle();  // the response meets nobody
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_bad_response), 1u);
  world.a.expect_ledger();
}

TEST_F(DeviceConfigure, TheMtuIsHeldToItsBounds) {
  world.connect();
  world.a.device.set_mtu(0);
  world.a.send(world.now, a_to_b(576 - 28));
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_too_big), 0u);
  world.a.send(world.now, a_to_b(576 - 27));
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_too_big), 1u);
  world.a.device.set_mtu(65535);
  world.a.send(world.now, a_to_b(kMtuMax - 28));
  world.b.device.set_mtu(65535);
  world.b.delivered.clear();
  world.settle();
  EXPECT_EQ(world.b.delivered.size(), 2u);
  world.a.send(world.now, a_to_b(kMtuMax - 27));
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_too_big), 2u);
}

TEST_F(DeviceConfigure, EventsAreBounded) {
  for (int round = 0; round < 200; ++round) {
    apply(peer_update(key(5)));
    PeerUpdate remove = peer_update(key(5));
    remove.remove = true;
    apply(remove);
  }
  world.a.collect();
  EXPECT_EQ(world.a.seen.size(), 1u + kDeviceEventsMax) << "one of the set-up";
  EXPECT_EQ(world.a.count(DeviceCounter::lost_events), 400 - kDeviceEventsMax);
  EXPECT_EQ(world.a.seen.back().kind, DeviceEvent::Kind::peer_removed);
}

}  // namespace
}  // namespace fireline::wireguard
