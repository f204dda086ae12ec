// Handshakes between devices: floods, cookies, limits, roaming and sticky sources.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

#include "core/wireguard/constants.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

TEST(DeviceHandshake, InitiationsFasterThanFiftyASecondAreDropped) {
  World world;
  std::vector<Datagram> initiations;
  for (int i = 0; i < 3; ++i) {
    world.a.send(world.now, a_to_b());
    world.advance_alone(world.a, 6s);
    initiations.push_back(world.a.sent.back());
  }
  world.b.receive(world.now, {initiations[0]});
  world.b.step(world.now);
  world.b.receive(world.now, {initiations[1]});
  world.b.step(world.now);
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_initiation_flood), 1u);
  world.now.boot += kInitiationInterval;
  world.b.receive(world.now, {initiations[2]});
  world.b.step(world.now);
  EXPECT_EQ(world.b.count(DeviceCounter::initiations), 2u);
  world.b.expect_ledger();
}

TEST(DeviceHandshake, UnknownKeysAndGarbageGetNoAnswer) {
  World world;
  Node stranger(7, "203.0.113.1:1000", {}, world.now);
  DeviceUpdate update;
  update.peers.push_back(peer_update(world.b.public_key, {"10.0.0.2/32"}));
  update.peers.front().endpoint = world.b.address;
  stranger.device.apply(world.now, update, stranger.output);
  stranger.send(world.now, a_to_b());
  Datagram initiation = stranger.sent.at(0);
  world.b.receive(world.now, {initiation});
  world.b.step(world.now);
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_unknown_peer), 1u);
  struct Row {
    const char* rule;
    DeviceCounter drop;
    std::size_t offset;  // of the byte that is changed
    std::size_t bytes;
  };
  const Row rows[] = {
      {"mac1 is checked first", DeviceCounter::drop_udp_bad_mac1, 120, kInitiationBytes},
      {"an exact length", DeviceCounter::drop_udp_not_wireguard, 0, kInitiationBytes - 1},
      {"an exact length", DeviceCounter::drop_udp_not_wireguard, 0, kInitiationBytes + 1},
      {"reserved bytes are zero", DeviceCounter::drop_udp_not_wireguard, 2, kInitiationBytes},
      {"a type", DeviceCounter::drop_udp_not_wireguard, 0, 3},
      {"a byte at all", DeviceCounter::drop_udp_not_wireguard, 0, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    Datagram changed = initiation;
    if (row.offset != 0) changed.bytes[row.offset] ^= std::byte{1};
    changed.bytes.resize(row.bytes);
    const auto before = world.b.count(row.drop);
    packet::UdpBatch batch = world.b.udp_batch({changed});
    world.b.device.plan(world.now, batch, *world.b.work);
    world.b.device.commit(world.now, *world.b.work, world.b.output);
    world.b.step(world.now);
    EXPECT_EQ(world.b.count(row.drop), before + 1);
  }
  EXPECT_TRUE(world.b.sent.empty());
  world.b.expect_ledger();
}

// One byte wrong inside, and a valid mac1 again: that needs the receiver's public key alone, so whoever knows it gets
// this far; for more the sender's private key would be needed.
template <class Message, class Side>
Datagram forge(const World& world, Datagram datagram, std::size_t offset, const Side& from, const Side& to) {
  datagram.bytes[offset] ^= std::byte{1};
  Message message;
  std::ranges::copy(datagram.bytes, message.begin());
  const StaticIdentity identity(from.private_key);
  const RemoteIdentity receiver(identity, to.public_key);
  CookieGenerator(receiver).add_macs(world.now.boot, message);
  std::ranges::copy(message, datagram.bytes.begin());
  return datagram;
}

TEST(DeviceHandshake, AForgedResponseDoesNotEndTheHandshake) {
  World world;
  world.a.send(world.now, a_to_b());
  world.carry(world.a, world.b);
  ASSERT_EQ(world.b.sent.size(), 1u);
  world.a.receive(world.now, {forge<ResponseMessage>(world, world.b.sent[0], 50, world.b, world.a)});
  world.a.step(world.now);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_bad_response), 1u);
  world.settle();
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
  world.a.expect_ledger();
}

TEST(DeviceHandshake, ForgedInitiationsAreCountedAndNotAnswered) {
  struct Row {
    const char* rule;
    std::size_t offset;  // of the byte that is changed
  };
  constexpr Row kRows[] = {
      {"another ephemeral key", 8},
      {"another static key, sealed", 50},
      {"another timestamp, sealed", 100},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    World world;
    world.a.send(world.now, a_to_b());
    world.b.receive(world.now, {forge<InitiationMessage>(world, world.a.sent.at(0), row.offset, world.a, world.b)});
    world.b.step(world.now);
    EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_bad_initiation), 1u);
    EXPECT_TRUE(world.b.sent.empty());
    world.b.expect_ledger();
    world.settle();
    EXPECT_EQ(world.b.delivered, Packets{a_to_b()}) << "the honest one is not hindered";
  }
}

TEST(DeviceHandshake, CookieRepliesThatFitNothingAreCounted) {
  World world;
  world.a.send(world.now, a_to_b());
  Datagram reply = world.a.sent.at(0);
  reply.bytes = Packet(kCookieReplyBytes);
  std::swap(reply.source, reply.destination);
  store_le32(reply.bytes, 0, 3);
  std::copy_n(world.a.sent.at(0).bytes.begin() + 4, 4, reply.bytes.begin() + 4);  // to a's initiation
  world.a.receive(world.now, {reply});
  world.a.step(world.now);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_bad_cookie_reply), 1u) << "sealed with another key";
  reply.bytes[7] ^= std::byte{1};
  world.a.receive(world.now, {reply});
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_bad_cookie_reply), 2u) << "to nobody here";
  world.a.expect_ledger();
}

TEST(DeviceHandshake, WithoutABufferAMessageOfItsOwnIsCountedAndTheTimerTriesAgain) {
  World world;
  world.a.small.set_limit(0);
  world.a.send(world.now, a_to_b());
  EXPECT_TRUE(world.a.sent.empty());
  EXPECT_EQ(world.a.count(DeviceCounter::unsent_no_buffer), 1u);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 0u);
  world.a.small.set_limit(SIZE_MAX);
  world.advance(6s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
  EXPECT_EQ(world.b.count(DeviceCounter::handshakes_completed), 1u);
}

// 200 copies of an initiation fill the queue beyond an eighth; under load b asks for a cookie, and the next initiation
// carries one.
TEST(DeviceHandshake, UnderLoadACookieOpensTheDoor) {
  World world;
  world.a.send(world.now, a_to_b());
  world.advance_alone(world.a, 6s);
  Datagram flood = world.a.sent.at(0);
  const Datagram honest = world.a.sent.at(1);
  world.a.sent.clear();
  world.b.receive(world.now, {honest});
  world.b.receive(world.now, std::vector<Datagram>(300, flood));
  world.b.step(world.now);
  EXPECT_EQ(world.b.count(DeviceCounter::initiations), 0u);
  EXPECT_GT(world.b.count(DeviceCounter::sent_cookie_replies), 100u);
  world.carry(world.b, world.a);
  EXPECT_EQ(world.a.count(DeviceCounter::cookie_replies), 1u) << "of many, the first one that fits";
  EXPECT_TRUE(world.a.sent.empty()) << "no immediate resend";
  world.advance_alone(world.a, 5200ms);
  ASSERT_EQ(world.a.sent.size(), 1u);
  const auto mac2 = ConstBytes(world.a.sent[0].bytes).last(16);
  EXPECT_TRUE(std::ranges::any_of(mac2, [](std::byte b) { return b != std::byte{0}; }));
  // The flood goes on.
  flood.source = Endpoint::parse("198.51.100.1:1").value();
  std::vector<Datagram> more(300, flood);
  more.insert(more.begin(), world.a.sent[0]);
  world.a.sent.clear();
  world.b.receive(world.now, more);
  world.b.step(world.now);
  EXPECT_EQ(world.b.count(DeviceCounter::initiations), 1u);
  world.b.sent.erase(
      std::remove_if(world.b.sent.begin(), world.b.sent.end(), [](const Datagram& sent) { return sent.type() == 3; }),
      world.b.sent.end());
  world.settle();
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
  world.a.expect_ledger();
  world.b.expect_ledger();
}

// The kernel's limit: 20 messages a second of each source, five at once.
TEST(DeviceHandshake, UnderLoadASourceWithACookieHasItsShareAndNoMore) {
  World world;
  world.a.send(world.now, a_to_b());
  Datagram flood = world.a.sent.at(0);
  world.a.sent.clear();
  world.b.receive(world.now, std::vector<Datagram>(300, flood));
  world.b.step(world.now);
  world.carry(world.b, world.a);
  ASSERT_EQ(world.a.count(DeviceCounter::cookie_replies), 1u);
  world.advance_alone(world.a, 5400ms);
  ASSERT_EQ(world.a.sent.size(), 1u);
  std::vector<Datagram> messages(8, world.a.sent[0]);
  flood.source = Endpoint::parse("198.51.100.1:1").value();
  messages.insert(messages.end(), 300, flood);
  world.a.sent.clear();
  world.b.receive(world.now, messages);
  world.b.step(world.now);
  EXPECT_EQ(world.b.count(DeviceCounter::initiations), 1u);
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_old_timestamp), 4u) << "were looked at";
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_rate_limited), 3u);
  world.b.expect_ledger();
}

TEST(DeviceHandshake, TheQueueIsBounded) {
  World world;
  world.a.send(world.now, a_to_b());
  world.b.receive(world.now, std::vector<Datagram>(kHandshakeQueueMessages + 5, world.a.sent.at(0)));
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_handshake_queue_full), 5u);
  EXPECT_EQ(world.b.device.gauges().queued_handshakes, kHandshakeQueueMessages);
  world.b.expect_ledger();
  world.b.device.set_up(world.now, false, world.b.output);
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_handshake_queue_cleared), kHandshakeQueueMessages);
  world.b.expect_ledger();
}

TEST(DeviceHandshake, OneStepIsOneMessage) {
  World world;
  world.a.send(world.now, a_to_b());
  world.b.receive(world.now, {world.a.sent.at(0), world.a.sent.at(0)});
  EXPECT_TRUE(world.b.device.step_handshake(world.now, world.b.output));
  EXPECT_EQ(world.b.device.gauges().queued_handshakes, 1u);
  EXPECT_TRUE(world.b.device.step_handshake(world.now, world.b.output));
  EXPECT_FALSE(world.b.device.step_handshake(world.now, world.b.output));
}

TEST(DeviceHandshake, ManyWantedInitiationsDoNotBlockATurn) {
  World world;
  DeviceUpdate update;
  SeededRandom random(3);
  Packets packets;
  for (int i = 0; i < 20; ++i) {
    crypto::PublicKey key;
    random.fill(key.bytes);
    const std::string address = "11.0.0." + std::to_string(i);
    update.peers.push_back(peer_update(key, {address + "/32"}));
    update.peers.back().endpoint = world.b.address;
    packets.push_back(udp_packet("10.0.0.1", address, 10));
  }
  world.a.device.apply(world.now, update, world.a.output);
  world.a.send(world.now, packets);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
  EXPECT_EQ(world.a.device.gauges().wanted_initiations, 19u);
  EXPECT_LE(world.a.device.poll_timeout().value(), world.now.boot) << "a loop that never steps is called back";
  world.a.handle_timeout(world.now);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 5u);
  world.a.step(world.now);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 20u);
  EXPECT_GT(world.a.device.poll_timeout().value(), world.now.boot);
}

TEST(DeviceHandshake, TheSessionCounterWrapsWhileSessionsGoOn) {
  World world;
  world.connect();
  std::set<std::uint32_t> low;
  std::set<std::uint32_t> high;
  for (std::size_t i = 0; i < 270; ++i) {
    world.a.send(world.now, a_to_b(i % 100));
    world.lose();
    world.advance_alone(world.a, 16s);  // no answer: a handshake
    for (const Datagram& sent : world.a.sent) {
      if (sent.type() != 1) continue;
      low.insert(load_le32(sent.bytes, 4) & 0xFFu);
      high.insert(load_le32(sent.bytes, 4) >> 8);
    }
    world.b.delivered.clear();
    world.settle();
    world.a.send(world.now, a_to_b(50));
    world.settle();
    ASSERT_EQ(world.b.delivered.size(), 1u) << i;
    world.b.send(world.now, b_to_a(50));
    world.settle();
  }
  EXPECT_EQ(low.size(), 256u);
  EXPECT_EQ(high.size(), 1u);
}

TEST(DeviceHandshake, AnswersLeaveFromWhereThePeerSentTo) {
  World world;
  world.connect();
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(world.b.sent.at(0).local, (packet::LocalAddress{.address = world.b.address.address, .interface = 7}));
  world.lose();
  world.b.device.forget_local_addresses();
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(world.b.sent.at(0).local, packet::LocalAddress{});
  world.lose();
  world.a.send(world.now, a_to_b());
  world.settle();
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(world.b.sent.at(0).local.interface, 7u) << "learned again";
  world.lose();
  DeviceUpdate update;
  update.peers.push_back(peer_update(world.a.public_key));
  update.peers.front().endpoint = world.a.address;
  world.b.device.apply(world.now, update, world.b.output);
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(world.b.sent.at(0).local, packet::LocalAddress{}) << "a configured endpoint has no source yet";
}

TEST(DeviceHandshake, ASourceIsForgottenByItsRouteAloneWhileItIsStillTheSame) {
  World world;
  EXPECT_TRUE(world.b.device.sticky_sources().empty()) << "nobody has spoken yet";
  world.connect();
  const auto before = world.b.device.sticky_sources();
  ASSERT_EQ(before.size(), 1u);
  EXPECT_EQ(before[0].peer, world.a.public_key);
  EXPECT_EQ(before[0].destination, world.a.address);
  const packet::LocalAddress local{.address = world.b.address.address, .interface = 7};
  EXPECT_EQ(before[0].local, local);

  auto stale = before;
  stale[0].local.interface = 8;
  world.b.device.forget_local_addresses(stale);
  stale = before;
  stale[0].destination.port ^= 1;
  world.b.device.forget_local_addresses(stale);
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(world.b.sent.at(0).local, local) << "learned since the route was looked up";
  world.lose();

  world.b.device.forget_local_addresses(before);
  EXPECT_TRUE(world.b.device.sticky_sources().empty());
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(world.b.sent.at(0).local, packet::LocalAddress{});
}

TEST(DeviceHandshake, RoamingNeedsAnAuthenticPacket) {
  World world;
  world.connect();
  world.a.send(world.now, a_to_b());
  Datagram stolen = world.a.sent.at(0);
  world.settle();
  stolen.source = Endpoint::parse("203.0.113.66:6").value();
  world.b.receive(world.now, {stolen});  // a replay
  stolen.bytes[20] ^= std::byte{1};
  store_le64(stolen.bytes, 8, 1000);
  world.b.receive(world.now, {stolen});  // a forgery
  EXPECT_EQ(world.b.device.status().peers.at(0).endpoint, world.a.address);
  // From IPv4 to IPv6, and the answer follows.
  const Endpoint v6 = Endpoint::parse("[2001:db8::9]:9").value();
  world.a.address = v6;
  world.a.send(world.now, a_to_b());
  world.carry(world.a, world.b);
  world.b.send(world.now, b_to_a());
  ASSERT_EQ(world.b.sent.size(), 1u);
  EXPECT_EQ(world.b.sent[0].destination, v6);
}

TEST(DeviceHandshake, ALostResponseIsMadeUpForByTheRetry) {
  World world;
  world.a.send(world.now, a_to_b());
  world.carry(world.a, world.b);
  world.lose();
  // b has something to say as well: it waits for the unconfirmed session instead of starting a handshake of its own.
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 0u);
  world.advance(6s);
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
  EXPECT_EQ(world.a.delivered, Packets{b_to_a()});
  EXPECT_EQ(world.b.device.gauges().queued_packets, 0u);
}

TEST(DeviceHandshake, AResponderWhoseSessionIsNeverConfirmedInitiatesItself) {
  for (const Profile& profile : {kPaperProfile, kFirezoneProfile}) {
    World::Options options;
    options.profile = profile;
    World world(options);
    world.a.send(world.now, a_to_b());
    world.carry(world.a, world.b);
    world.lose();
    world.b.send(world.now, b_to_a());
    world.advance_alone(world.b, 5500ms);  // a stays silent
    EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 1u);
    world.settle();
    EXPECT_EQ(world.a.delivered, Packets{b_to_a()});
  }
}

}  // namespace
}  // namespace fireline::wireguard
