// The timers of the paper's section 6 on a virtual clock, where both profiles agree or where only the paper speaks.
#include <gtest/gtest.h>

#include "core/wireguard/constants.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

constexpr Duration kStep = 1ms;

TEST(DeviceTimers, AnUnansweredInitiationIsRepeatedWithJitterAndNewKeys) {
  World world;
  world.a.send(world.now, a_to_b());
  std::vector<Instant> times{world.now.boot};
  std::vector<Packet> messages{world.a.sent.at(0).bytes};
  while (times.size() < 5) {
    world.a.sent.clear();
    world.now.boot = world.a.device.poll_timeout().value();
    world.a.handle_timeout(world.now);
    if (world.a.sent.empty()) continue;
    ASSERT_EQ(world.a.sent.size(), 1u);
    EXPECT_EQ(world.a.sent[0].type(), 1u);
    times.push_back(world.now.boot);
    messages.push_back(world.a.sent[0].bytes);
  }
  bool jitter = false;
  for (std::size_t i = 1; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 1], kRekeyTimeout);
    EXPECT_LE(times[i] - times[i - 1], kRekeyTimeout + kRekeyJitterMax);
    jitter = jitter || times[i] - times[i - 1] != times[1] - times[0];
    EXPECT_NE(load_le32(messages[i], 4), load_le32(messages[i - 1], 4)) << "a new index";
    EXPECT_NE(load_le64(messages[i], 8), load_le64(messages[i - 1], 8)) << "a new ephemeral key";
  }
  EXPECT_TRUE(jitter);
}

TEST(DeviceTimers, TrafficBehindAnInitiationDoesNotSendAnother) {
  World world;
  for (int i = 0; i < 49; ++i) {
    world.a.send(world.now, a_to_b());
    world.advance_alone(world.a, 100ms);
  }
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
}

TEST(DeviceTimers, APassiveKeepaliveAnswersDataAfterTenSeconds) {
  World world;
  world.connect();
  world.settle();
  const auto before = world.b.count(DeviceCounter::sent_keepalives);
  world.a.send(world.now, a_to_b());
  world.settle();
  // b received data at the connection already, so it is due at 10 s from there: let that pass first.
  world.advance(kKeepaliveTimeout - kStep, false);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_keepalives), before);
  world.advance(kStep);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_keepalives), before + 1);
  world.advance(60s);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_keepalives), before + 2)
      << "data in between asked for one more, no other";
  EXPECT_EQ(world.a.count(DeviceCounter::keepalives), before + 2);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_keepalives), 0u) << "a keepalive is not answered with one";
}

TEST(DeviceTimers, OneWayTrafficGetsAKeepaliveEveryTenSecondsAndNoHandshake) {
  World world;
  world.connect();
  for (int second = 0; second < 100; ++second) {
    world.a.send(world.now, a_to_b());
    world.settle();
    world.advance(1s);
  }
  EXPECT_GE(world.b.count(DeviceCounter::sent_keepalives), 9u);
  EXPECT_LE(world.b.count(DeviceCounter::sent_keepalives), 11u);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
}

TEST(DeviceTimers, NoAnswerForFifteenSecondsStartsAHandshake) {
  World world;
  world.connect();
  world.b.send(world.now, b_to_a());
  world.settle();
  world.a.send(world.now, a_to_b());  // the first unanswered packet counts
  world.lose();
  for (int i = 0; i < 14; ++i) {
    world.advance_alone(world.a, 1s);
    world.a.send(world.now, a_to_b());
    world.lose();
  }
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
  world.advance_alone(world.a, 1s - kStep);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
  world.advance_alone(world.a, kStep + kRekeyJitterMax);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 2u);
}

TEST(DeviceTimers, AnyAnswerCallsThatHandshakeOff) {
  World world;
  world.connect();
  world.a.send(world.now, a_to_b());
  world.settle();
  world.advance(14s);  // b's passive keepalive is in there
  world.advance(20s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
}

TEST(DeviceTimers, TheInitiatorRekeysAfter120SecondsWithTraffic) {
  World world;
  world.connect();
  const auto traffic = [&](Duration duration) {
    for (Duration passed{}; passed < duration; passed += 1s) {
      world.advance(1s);
      world.a.send(world.now, a_to_b());
      world.b.send(world.now, b_to_a());
      world.settle();
    }
  };
  traffic(119s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
  traffic(2s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 2u);
  traffic(300s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 4u);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 0u) << "the responder leaves it to the initiator";
  EXPECT_EQ(world.b.delivered.size(), 421u) << "not one packet lost over three rekeys";
  EXPECT_EQ(world.a.delivered.size(), 421u);
}

TEST(DeviceTimers, TheInitiatorThatOnlyReceivesRekeysAt165Seconds) {
  World world;
  world.connect();
  world.advance(164s);
  world.b.send(world.now, b_to_a());
  world.settle();
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u);
  world.advance(1s);
  world.b.send(world.now, b_to_a());
  world.settle();
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 2u);
}

TEST(DeviceTimers, TheResponderThatReceivesLateDoesNotRekey) {
  World world;
  world.connect();
  world.advance(166s);
  world.a.send(world.now, a_to_b());
  std::erase_if(world.a.sent, [](const Datagram& datagram) { return datagram.type() == 1; });
  ASSERT_EQ(world.a.sent.size(), 1u);
  world.carry(world.a, world.b);
  world.b.handle_timeout(world.now);
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 0u);
}

TEST(DeviceTimers, ARekeyEndsWithTheSessionThatItIsFor) {
  World world({.profile = kFirezoneProfile});
  world.connect();
  world.advance(100s);
  ASSERT_TRUE(world.b.device.initiate(world.now, world.a.public_key));
  world.advance(60s);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 1u);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u) << "a had one for 120 s after the first handshake";
}

TEST(DeviceTimers, ASessionOf180SecondsNeitherSealsNorOpens) {
  World world;
  world.connect();
  world.b.send(world.now, b_to_a());
  const auto late = std::exchange(world.b.sent, {});
  world.advance(kRejectAfterTime - kStep, false);
  world.lose();
  world.b.send(world.now, b_to_a());
  const auto in_time = std::exchange(world.b.sent, {});
  ASSERT_EQ(in_time.size(), 1u);
  EXPECT_EQ(in_time[0].type(), 4u);
  world.a.receive(world.now, in_time);
  EXPECT_EQ(world.a.delivered.size(), 1u);
  world.advance_alone(world.a, kStep);
  world.a.sent.clear();
  world.a.receive(world.now, late);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_expired_session), 1u);
  world.b.send(world.now, b_to_a());
  ASSERT_EQ(world.b.sent.size(), 1u);
  EXPECT_EQ(world.b.sent[0].type(), 1u) << "the packet waits and a handshake starts";
}

TEST(DeviceTimers, KeysAreZeroedAfter540Seconds) {
  World world;
  world.connect();
  world.advance(3 * kRejectAfterTime - kStep, false);
  EXPECT_EQ(world.b.events(DeviceEvent::Kind::keys_zeroed), 0u);
  world.advance(kStep, false);
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::keys_zeroed), 1u);
  EXPECT_EQ(world.b.events(DeviceEvent::Kind::keys_zeroed), 1u);
  world.advance(1000s, false);
  EXPECT_EQ(world.b.device.poll_timeout(), std::nullopt) << "silence: nothing left to wake up for";
}

TEST(DeviceTimers, WithoutASessionTheyAreZeroed540SecondsAfterTheLastAttempt) {
  World world;
  world.a.send(world.now, a_to_b());
  world.advance(kPaperProfile.rekey_attempt_time, false);
  ASSERT_EQ(world.a.events(DeviceEvent::Kind::handshake_given_up), 1u);
  world.advance(kZeroKeysAfter - 1s, false);
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::keys_zeroed), 0u);
  world.advance(1s, false);
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::keys_zeroed), 1u);
}

TEST(DeviceTimers, PersistentKeepaliveKeepsItsIntervalAndReconnects) {
  World world;
  DeviceUpdate update;
  update.peers.push_back(peer_update(world.b.public_key));
  update.peers.front().persistent_keepalive_seconds = 25;
  world.a.device.apply(world.now, update, world.a.output);
  world.a.collect();
  world.advance(0s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 1u) << "set while up: one at once, so a handshake";
  const auto first = world.a.count(DeviceCounter::sent_keepalives);
  world.advance(25s - kStep);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_keepalives), first);
  world.advance(kStep);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_keepalives), first + 1);
  world.advance(600s);
  EXPECT_GE(world.a.count(DeviceCounter::handshakes_completed), 4u) << "keepalives rekey like data";
  EXPECT_GE(world.b.count(DeviceCounter::keepalives), 24u);
  // Off again.
  update.peers.front().persistent_keepalive_seconds = 0;
  world.a.device.apply(world.now, update, world.a.output);
  const auto last = world.a.count(DeviceCounter::sent_keepalives);
  world.advance(600s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_keepalives), last);
}

TEST(DeviceTimers, PersistentKeepaliveNeverStopsTrying) {
  World world;
  DeviceUpdate update;
  update.peers.push_back(peer_update(world.b.public_key));
  update.peers.front().persistent_keepalive_seconds = 25;
  world.a.device.apply(world.now, update, world.a.output);
  world.advance(1000s, false);
  EXPECT_GT(world.a.count(DeviceCounter::sent_initiations), 100u);
  world.lose();
  world.advance(60s);
  EXPECT_EQ(world.a.count(DeviceCounter::handshakes_completed), 1u);
}

TEST(DeviceTimers, InitiationsThatCrossedAreTriedAgain) {
  World world;
  for (auto [own, other] : {std::pair(&world.a, &world.b), std::pair(&world.b, &world.a)}) {
    DeviceUpdate update;
    update.peers.push_back(peer_update(other->public_key));
    update.peers.front().persistent_keepalive_seconds = 25;
    own->device.apply(world.now, update, own->output);
    own->collect();
    own->step(world.now);
  }
  const auto from_a = std::exchange(world.a.sent, {});
  const auto from_b = std::exchange(world.b.sent, {});
  world.a.receive(world.now, from_b);
  world.b.receive(world.now, from_a);
  world.a.step(world.now);
  world.b.step(world.now);
  world.settle();
  ASSERT_EQ(world.a.count(DeviceCounter::handshakes_completed), 0u) << "each forgot its own for the other's";
  world.advance(11s);  // jitter breaks the tie
  EXPECT_EQ(world.a.count(DeviceCounter::handshakes_completed), 1u);
}

// 40 ms away from each other, both speaking all the time from the same moment on: each forgets its initiation for the
// other's, and data must not send the next one before the timer with its jitter.
TEST(DeviceTimers, InitiationsThatCrossedAreTriedAgainWithJitterWhateverIsToBeSent) {
  struct Row {
    const char* what;
    Duration gap;  // between packets of each end; zero: none
    std::uint16_t keepalive_seconds;
  };
  for (const Row& row : {Row{"packets each 5 ms", 5ms, 0}, Row{"keepalives of a second", Duration::zero(), 1},
                         Row{"keepalives of five seconds", Duration::zero(), 5}}) {
    SCOPED_TRACE(row.what);
    constexpr Duration kWay = 40ms;
    struct Flying {
      Instant at;
      Node* to;
      Datagram datagram;
    };
    World world;
    std::vector<Flying> wire;
    const auto step_both = [&] {
      for (auto [own, other] : {std::pair(&world.a, &world.b), std::pair(&world.b, &world.a)}) {
        own->step(world.now);
        for (const Datagram& one : std::exchange(own->sent, {})) wire.push_back({world.now.boot + kWay, other, one});
      }
    };
    for (auto [own, other] : {std::pair(&world.a, &world.b), std::pair(&world.b, &world.a)}) {
      DeviceUpdate update;
      update.peers.push_back(peer_update(other->public_key));
      update.peers.front().persistent_keepalive_seconds = row.keepalive_seconds;
      own->device.apply(world.now, update, own->output);
      own->collect();
    }
    const auto connected = [&] {
      return world.a.count(DeviceCounter::handshakes_completed) > 0 &&
             world.b.count(DeviceCounter::handshakes_completed) > 0;
    };
    const Instant start = world.now.boot;
    for (; !connected() && world.now.boot - start < 60s; world.now.boot += 1ms, world.now.wall += 1ms) {
      if (row.gap != Duration::zero() && (world.now.boot - start) % row.gap == Duration::zero()) {
        world.a.send(world.now, a_to_b());
        world.b.send(world.now, b_to_a());
      }
      for (Node* node : {&world.a, &world.b}) {
        const auto due = node->device.poll_timeout();
        if (due && *due <= world.now.boot) node->handle_timeout(world.now);
      }
      step_both();
      std::vector<Flying> arrived;
      std::erase_if(wire, [&](const Flying& one) {
        if (one.at > world.now.boot) return false;
        arrived.push_back(one);
        return true;
      });
      for (const Flying& one : arrived) one.to->receive(world.now, {one.datagram});
      step_both();
    }
    EXPECT_TRUE(connected());
    EXPECT_GT(world.now.boot - start, kRekeyTimeout) << "they did not cross: this tests nothing";
    EXPECT_LT(world.now.boot - start, 3 * kRekeyTimeout);
  }
}

// The peer's initiation is answered while ours stands behind others', a packet comes, and the confirmation is lost.
TEST(DeviceTimers, APacketBehindAnInitiationThatWasSkippedHasItsTimer) {
  World world;
  DeviceUpdate others;
  SeededRandom random(3);
  for (int i = 0; i < 20; ++i) {
    crypto::PublicKey key;
    random.fill(key.bytes);
    others.peers.push_back(peer_update(key));
    others.peers.back().endpoint = world.a.address;
    others.peers.back().persistent_keepalive_seconds = 25;
  }
  world.b.device.apply(world.now, others, world.b.output);
  world.b.collect();
  ASSERT_TRUE(world.b.device.initiate(world.now, world.a.public_key));
  world.a.send(world.now, a_to_b());
  world.b.receive(world.now, std::exchange(world.a.sent, {}));
  ASSERT_TRUE(world.b.device.step_handshake(world.now, world.b.output));
  world.b.collect();
  ASSERT_EQ(world.b.count(DeviceCounter::sent_responses), 1u);
  world.b.send(world.now, b_to_a());
  world.b.step(world.now);
  for (auto& one : others.peers) one.remove = true;
  world.b.device.apply(world.now, others, world.b.output);
  world.b.collect();
  world.lose();
  ASSERT_EQ(world.b.device.gauges().queued_packets, 1u);
  const auto before = world.b.count(DeviceCounter::sent_initiations);
  world.advance_alone(world.b, kRekeyTimeout + 1s);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), before + 1);
}

TEST(DeviceTimers, TenThousandPeersAreWokenEachAtItsTime) {
  World world;
  DeviceUpdate update;
  SeededRandom random(3);
  for (int i = 0; i < 10000; ++i) {
    crypto::PublicKey key;
    random.fill(key.bytes);
    update.peers.push_back(
        peer_update(key, {"11." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".1/32"}));
    update.peers.back().endpoint = world.b.address;
  }
  EXPECT_TRUE(world.a.device.apply(world.now, update, world.a.output));
  world.a.send(world.now, {udp_packet("10.0.0.1", "11.0.0.1", 10), udp_packet("10.0.0.1", "11.39.15.1", 10)});
  world.advance_alone(world.a, 4s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 2u);
  world.advance_alone(world.a, 2s);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 4u);
  EXPECT_EQ(world.a.device.gauges().peers, 10001u);
}

}  // namespace
}  // namespace fireline::wireguard
