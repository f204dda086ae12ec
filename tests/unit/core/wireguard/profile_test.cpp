// One test per row of the profile table in docs/wireguard.md; each names its row.
#include "core/wireguard/profile.h"

#include <gtest/gtest.h>

#include "core/wireguard/constants.h"
#include "core/wireguard/goodbye.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

constexpr Duration kStep = 1ms;

World::Options options_of(const Profile& profile) {
  World::Options options;
  options.profile = profile;
  return options;
}

struct Both {
  World paper{options_of(kPaperProfile)};
  World firezone{options_of(kFirezoneProfile)};
};

TEST(Profile, RekeyAttemptTime) {
  Both worlds;
  for (auto [world, time] : {std::pair(&worlds.paper, 90s), std::pair(&worlds.firezone, 15s)}) {
    world->a.send(world->now, a_to_b());
    world->advance(time - kStep, false);
    EXPECT_EQ(world->a.count(DeviceCounter::handshakes_given_up), 0u);
    EXPECT_EQ(world->a.device.gauges().queued_packets, 1u);
    world->advance(kStep, false);
    EXPECT_EQ(world->a.count(DeviceCounter::handshakes_given_up), 1u);
    EXPECT_EQ(world->a.count(DeviceCounter::drop_tun_queue_cleared), 1u);
    const auto sent = world->a.count(DeviceCounter::sent_initiations);
    world->advance(400s, false);
    EXPECT_EQ(world->a.count(DeviceCounter::sent_initiations), sent) << "and no more";
  }
  EXPECT_EQ(worlds.firezone.a.count(DeviceCounter::sent_initiations), 3u) << "at 0, 5 and 10 s";
}

TEST(Profile, DataRestartsAttempt) {
  Both worlds;
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    for (int i = 0; i < 12; ++i) {
      world->a.send(world->now, a_to_b());
      world->advance(14s, false);
    }
  }
  EXPECT_EQ(worlds.paper.a.count(DeviceCounter::handshakes_given_up), 0u);
  EXPECT_GT(worlds.firezone.a.count(DeviceCounter::handshakes_given_up), 5u);
}

TEST(Profile, StopUsingAfter) {
  Both worlds;
  for (auto [world, time] : {std::pair(&worlds.paper, 180s), std::pair(&worlds.firezone, 170s)}) {
    world->connect();
    world->b.send(world->now, b_to_a());
    world->settle();
    // Firezone's rekeys at 120 s; on the session after it a has sent no data, so that nothing else comes before 180 s.
    if (world == &worlds.firezone) world->advance(121s);
    const auto birth = world->a.device.status().peers.at(0).last_handshake.value();
    world->advance(birth + time - kStep - world->now.wall, false);
    world->lose();
    world->a.send(world->now, a_to_b());
    ASSERT_FALSE(world->a.sent.empty());
    EXPECT_EQ(world->a.sent[0].type(), 4u);
    world->lose();
    world->advance(kStep, false);
    world->lose();
    const auto sealed = world->a.count(DeviceCounter::sealed);
    world->a.send(world->now, a_to_b());
    EXPECT_EQ(world->a.count(DeviceCounter::sealed), sealed) << "the initiator's packet waits";
  }
  World responder(options_of(kFirezoneProfile));
  responder.connect();
  responder.advance(175s, false);
  responder.lose();
  responder.b.send(responder.now, b_to_a());
  ASSERT_EQ(responder.b.sent.size(), 1u);
  EXPECT_EQ(responder.b.sent[0].type(), 4u) << "the responder goes on to 180 s";
}

// Initiations of a in 400 s after one exchange of data and then silence.
TEST(Profile, RekeyByAge) {
  Both worlds;
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    world->connect();
    world->advance(119s);
    EXPECT_EQ(world->a.count(DeviceCounter::sent_initiations), 1u);
    world->advance(2s);
  }
  EXPECT_EQ(worlds.paper.a.count(DeviceCounter::sent_initiations), 1u) << "no packet, no rekey";
  EXPECT_EQ(worlds.firezone.a.count(DeviceCounter::sent_initiations), 2u) << "data was sent: 120 s";
  worlds.firezone.advance(178s);
  EXPECT_EQ(worlds.firezone.a.count(DeviceCounter::sent_initiations), 2u) << "no data on the second session";
  worlds.firezone.advance(3s);
  EXPECT_EQ(worlds.firezone.a.count(DeviceCounter::sent_initiations), 3u) << "it expired: 180 s";
  EXPECT_EQ(worlds.firezone.b.count(DeviceCounter::sent_initiations), 0u) << "never the responder";
  worlds.paper.advance(1000s);
  EXPECT_EQ(worlds.paper.a.count(DeviceCounter::sent_initiations), 1u);

  World receiver(options_of(kFirezoneProfile));
  receiver.connect();
  receiver.advance(121s);  // a session without data sent by a
  receiver.b.send(receiver.now, b_to_a());
  receiver.settle();
  receiver.advance(163s);
  EXPECT_EQ(receiver.a.count(DeviceCounter::sent_initiations), 2u);
  receiver.advance(3s);
  EXPECT_EQ(receiver.a.count(DeviceCounter::sent_initiations), 3u) << "data was received: 165 s";
}

TEST(Profile, ExpiryFailsPeer) {
  Both worlds;
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    world->connect();
    world->advance(100s);
    world->lose();
    // a loses its peer: packets go unanswered, then handshakes as well.
    world->a.send(world->now, a_to_b());
    world->lose();
    world->advance(17s, false);  // no answer: an initiation
    world->lose();
    const auto initiations = world->a.count(DeviceCounter::sent_initiations);
    EXPECT_EQ(initiations, 2u);
    world->advance(world == &worlds.paper ? 90s : 15s, false);
    world->lose();
    EXPECT_EQ(world->a.events(DeviceEvent::Kind::handshake_given_up), 1u);
  }
  // Whoever hears of it removes the peer; until then the session is there for a goodbye.
  Node& a = worlds.firezone.a;
  a.device.send_packet(worlds.firezone.now, worlds.firezone.b.public_key, a_to_b(), a.output);
  EXPECT_EQ(a.count(DeviceCounter::sent_packets), 1u);
  a.collect();

  // Without any session 540 s long: Firezone's peer fails, the paper's does nothing.
  Both idle;
  idle.paper.advance(600s);
  idle.firezone.advance(600s);
  EXPECT_EQ(idle.paper.a.events(DeviceEvent::Kind::keys_zeroed), 0u);
  EXPECT_EQ(idle.firezone.a.events(DeviceEvent::Kind::keys_zeroed), 1u);
}

TEST(Profile, Roaming) {
  Both worlds;
  const Endpoint moved = Endpoint::parse("198.51.100.7:4444").value();
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    world->connect();
    world->a.address = moved;
    world->a.send(world->now, a_to_b());
    world->settle();
    EXPECT_EQ(world->b.delivered.size(), 1u) << "the packet counts in any case";
  }
  EXPECT_EQ(worlds.paper.b.device.status().peers.at(0).endpoint, moved);
  EXPECT_EQ(worlds.paper.b.events(DeviceEvent::Kind::endpoint_roamed), 1u);
  EXPECT_EQ(worlds.firezone.b.device.status().peers.at(0).endpoint, Endpoint::parse("192.0.2.1:51820"));
}

TEST(Profile, PersistentKeepalive) {
  Both worlds;
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    DeviceUpdate update;
    update.peers.push_back(peer_update(world->b.public_key));
    update.peers.front().persistent_keepalive_seconds = 25;
    world->a.device.apply(world->now, update, world->a.output);
    world->advance(100s);
  }
  EXPECT_GE(worlds.paper.a.count(DeviceCounter::sent_keepalives), 4u);
  EXPECT_EQ(worlds.firezone.a.count(DeviceCounter::sent_keepalives), 0u);
  EXPECT_EQ(worlds.firezone.a.device.status().peers.at(0).persistent_keepalive_seconds, 0u);
}

TEST(Profile, ConfirmWithKeepalive) {
  Both worlds;
  for (auto [world, messages] : {std::pair(&worlds.paper, 1u), std::pair(&worlds.firezone, 2u)}) {
    world->a.send(world->now, a_to_b());
    world->carry(world->a, world->b);
    world->carry(world->b, world->a);
    ASSERT_EQ(world->a.sent.size(), messages);
    for (std::size_t i = 0; i < messages; ++i) EXPECT_EQ(load_le64(world->a.sent[i].bytes, 8), i) << "counter";
    EXPECT_EQ(world->a.sent[0].bytes.size() == kTransportOverheadBytes, messages == 2) << "a keepalive first";
    world->settle();
    EXPECT_EQ(world->b.delivered, Packets{a_to_b()});
  }
  World idle;  // without a packet both confirm with a keepalive
  DeviceUpdate update;
  update.peers.push_back(peer_update(idle.b.public_key));
  update.peers.front().persistent_keepalive_seconds = 25;
  idle.a.device.apply(idle.now, update, idle.a.output);
  idle.advance(0s);
  EXPECT_EQ(idle.a.count(DeviceCounter::sent_keepalives), 1u);
  EXPECT_EQ(idle.b.count(DeviceCounter::handshakes_completed), 1u);
}

TEST(Profile, KeepsEarlierInitiation) {
  Both worlds;
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    // Both initiate at once; each initiation arrives, each is answered.
    world->a.send(world->now, a_to_b());
    world->b.send(world->now, b_to_a());
    const auto from_a = std::exchange(world->a.sent, {});
    const auto from_b = std::exchange(world->b.sent, {});
    world->a.receive(world->now, from_b);
    world->b.receive(world->now, from_a);
    world->a.step(world->now);
    world->b.step(world->now);
    world->settle();
  }
  EXPECT_EQ(worlds.paper.a.count(DeviceCounter::drop_udp_bad_response), 1u) << "its own initiation is forgotten";
  EXPECT_EQ(worlds.firezone.a.count(DeviceCounter::responses), 1u);
  EXPECT_EQ(worlds.firezone.a.delivered, Packets{b_to_a()});
  EXPECT_EQ(worlds.firezone.b.delivered, Packets{a_to_b()});
  worlds.paper.advance(11s);  // jitter breaks the tie
  EXPECT_EQ(worlds.paper.a.delivered, Packets{b_to_a()});
  EXPECT_EQ(worlds.paper.b.delivered, Packets{a_to_b()});
}

TEST(Profile, KeepsEarlierInitiationBehindARetry) {
  Both worlds;
  for (auto [world, responses] : {std::pair(&worlds.paper, 0u), std::pair(&worlds.firezone, 1u)}) {
    world->a.send(world->now, a_to_b());
    world->carry(world->a, world->b);
    world->advance_alone(world->a, kRekeyTimeout + kRekeyJitterMax);  // the response takes longer than the retry
    ASSERT_EQ(world->a.count(DeviceCounter::sent_initiations), 2u);
    world->carry(world->b, world->a);
    EXPECT_EQ(world->a.count(DeviceCounter::responses), responses);
  }
}

TEST(Profile, Padding) {
  Both worlds;
  for (auto [world, bytes] : {std::pair(&worlds.paper, 144u), std::pair(&worlds.firezone, 129u)}) {
    world->connect();
    world->a.send(world->now, a_to_b(101));
    EXPECT_EQ(world->a.sent.at(0).bytes.size(), bytes + kTransportOverheadBytes);
    world->b.delivered.clear();
    world->settle();
    EXPECT_EQ(world->b.delivered, Packets{a_to_b(101)});
  }
}

TEST(Profile, ReplayWindow) {
  Both worlds;
  for (auto [world, older] : {std::pair(&worlds.paper, 8128u), std::pair(&worlds.firezone, 1023u)}) {
    world->connect();
    std::vector<Datagram> held;
    for (std::uint32_t i = 0; i < older + 2; ++i) {
      world->a.send(world->now, a_to_b(10));
      held.push_back(world->a.sent.at(0));
      world->a.sent.clear();
    }
    world->b.receive(world->now, {held.back()});
    world->b.receive(world->now, {held[0]});
    EXPECT_EQ(world->b.count(DeviceCounter::drop_udp_replayed), 1u) << "one too old";
    world->b.receive(world->now, {held[1]});
    EXPECT_EQ(world->b.count(DeviceCounter::drop_udp_replayed), 1u) << "the oldest that counts";
  }
}

TEST(Profile, Sessions) {
  Both worlds;
  for (auto [world, open] : {std::pair(&worlds.paper, 2u), std::pair(&worlds.firezone, 5u)}) {
    // A packet on each of five sessions, all of which arrive after the last handshake.
    std::vector<Datagram> held;
    world->connect();
    world->advance(11s);  // b's keepalive for the packet of connect()
    for (int i = 0; i < 5; ++i) {
      world->a.send(world->now, a_to_b(10));
      held.push_back(world->a.sent.at(0));
      world->a.sent.clear();
      if (i == 4) break;
      // Data without an answer makes a handshake 15 s later; the time of all five is below 180 s.
      world->advance(16s);
    }
    EXPECT_EQ(world->a.count(DeviceCounter::handshakes_completed), 5u);
    world->b.delivered.clear();
    world->b.receive(world->now, held);
    EXPECT_EQ(world->b.delivered.size(), open);
  }
}

TEST(Profile, QueuedPacketsAndQueueRule) {
  Both worlds;
  for (auto [world, limit] : {std::pair(&worlds.paper, 128u), std::pair(&worlds.firezone, 256u)}) {
    Packets sent;
    for (std::uint32_t i = 0; i < limit + 10; ++i) {
      sent.push_back(a_to_b(20 + i));
      world->a.send(world->now, sent.back());
    }
    EXPECT_EQ(world->a.device.gauges().queued_packets, limit);
    EXPECT_EQ(world->a.count(DeviceCounter::drop_tun_queue_full), 10u);
    world->settle();
    const bool oldest = world->a.count(DeviceCounter::sealed) != 0 && limit == 128;
    const auto first = sent.begin() + (oldest ? 10 : 0);
    EXPECT_EQ(world->b.delivered, Packets(first, first + limit)) << "in order";
    world->a.expect_ledger();
  }
}

TEST(Profile, Timestamp) {
  Both worlds;
  // Firezone's clock is that of the start: a wall clock that steps back does not make initiations look replayed, and
  // the paper's survives it because stamps never repeat.
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    world->connect();
    world->now.wall -= 1000s;
    world->advance(200s);
    world->a.send(world->now, a_to_b());
    world->settle();
    EXPECT_EQ(world->b.count(DeviceCounter::drop_udp_old_timestamp), 0u);
    EXPECT_EQ(world->b.delivered.size(), 1u);
  }
  EXPECT_EQ(kPaperProfile.timestamp, TimestampSource::whitened);  // the bytes: tai64n_test.cpp
  EXPECT_EQ(kFirezoneProfile.timestamp, TimestampSource::node_start);
}

// A flood of valid mac1: what makes the device ask for cookies.
TEST(Profile, LoadRule) {
  Both worlds;
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    world->a.send(world->now, a_to_b());
    const std::vector<Datagram> flood(120, world->a.sent.at(0));
    world->a.sent.clear();
    world->b.receive(world->now, flood);
    world->b.step(world->now);
  }
  EXPECT_EQ(worlds.paper.b.count(DeviceCounter::under_load_messages), 0u) << "128 must wait";
  EXPECT_EQ(worlds.firezone.b.count(DeviceCounter::under_load_messages), 20u) << "100 a second";
  worlds.paper.a.send(worlds.paper.now, a_to_b());
  worlds.paper.advance_alone(worlds.paper.a, 6s);
  worlds.paper.b.receive(worlds.paper.now, std::vector<Datagram>(200, worlds.paper.a.sent.at(0)));
  worlds.paper.b.step(worlds.paper.now);
  EXPECT_GT(worlds.paper.b.count(DeviceCounter::under_load_messages), 70u);
  EXPECT_EQ(worlds.paper.b.events(DeviceEvent::Kind::under_load), 1u);
}

TEST(Profile, HandshakesPerSecond) {
  EXPECT_EQ(kPaperProfile.handshakes_per_second, 20u);      // per source; rate_limiter_test.cpp
  EXPECT_EQ(kFirezoneProfile.handshakes_per_second, 100u);  // per device: LoadRule above
}

TEST(Profile, Cookie) {
  EXPECT_EQ(kPaperProfile.cookie, CookieRule::secret);  // the bytes: cookie_test.cpp
  EXPECT_EQ(kFirezoneProfile.cookie, CookieRule::period);
}

TEST(Profile, Goodbyes) {
  Both worlds;
  for (World* world : {&worlds.paper, &worlds.firezone}) {
    world->connect();
    // Everything is allowed, and still it is no data.
    DeviceUpdate update;
    update.peers.push_back(peer_update(world->a.public_key, {"::/0"}));
    world->b.device.apply(world->now, update, world->b.output);
    world->a.device.send_packet(world->now, world->b.public_key, kGoodbye, world->a.output);
    world->a.collect();
    EXPECT_EQ(world->a.count(DeviceCounter::sent_packets), 1u);
    world->settle();
    world->b.expect_ledger();
  }
  EXPECT_EQ(worlds.paper.b.delivered, Packets{Packet(kGoodbye.begin(), kGoodbye.end())});
  EXPECT_EQ(worlds.paper.b.events(DeviceEvent::Kind::goodbye_received), 0u);
  EXPECT_EQ(worlds.firezone.b.delivered, Packets{});
  EXPECT_EQ(worlds.firezone.b.events(DeviceEvent::Kind::goodbye_received), 1u);
  EXPECT_EQ(worlds.firezone.b.count(DeviceCounter::goodbyes), 1u);
}

}  // namespace
}  // namespace fireline::wireguard
