// Rules of connectivity spec 1.7 to 1.9 for the profile firezone that are no row of the profile table, and what the
// layer above asks of a peer: a handshake, a packet of its own, whether data moves.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "core/wireguard/constants.h"
#include "core/wireguard/goodbye.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

World::Options firezone(Link link = Link::direct) {
  World::Options options;
  options.profile = kFirezoneProfile;
  options.mtu = 1280;
  options.link = link;
  return options;
}

// How many goodbyes the peer makes of it.
std::uint64_t goodbyes_of(const Packet& packet) {
  World world(firezone());
  world.connect();
  world.a.device.send_packet(world.now, world.b.public_key, packet, world.a.output);
  world.a.collect();
  world.settle();
  return world.b.events(DeviceEvent::Kind::goodbye_received);
}

// a is the client, b the gateway.
TEST(Firezone, AGatewayQueuesBehindAnUnconfirmedSession) {
  World world(firezone());
  world.a.send(world.now, a_to_b());
  world.carry(world.a, world.b);
  world.b.send(world.now, {b_to_a(1), b_to_a(2)});
  EXPECT_EQ(world.b.sent_of_type(1), 0u);
  EXPECT_EQ(world.b.device.gauges().queued_packets, 2u);
  world.advance_alone(world.b, kRekeyTimeout - 1ms);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 0u) << "younger than REKEY_TIMEOUT";
  world.settle();
  EXPECT_EQ(world.a.delivered, (Packets{b_to_a(1), b_to_a(2)})) << "confirmed: what waits leaves";
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 0u);
}

TEST(Firezone, AGatewayInitiatesWhenTheSessionIsNeverConfirmed) {
  World world(firezone());
  world.a.send(world.now, a_to_b());
  world.carry(world.a, world.b);
  world.b.send(world.now, b_to_a());
  world.lose();  // the response
  world.advance_alone(world.b, kRekeyTimeout + kRekeyJitterMax);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 1u);
  world.settle();
  EXPECT_EQ(world.a.delivered, Packets{b_to_a()});
}

TEST(Firezone, AGatewayWithAPathAndWithoutASessionInitiates) {
  World world(firezone());
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(world.b.sent_of_type(1), 1u);
  world.settle();
  EXPECT_EQ(world.a.delivered, Packets{b_to_a()});
}

TEST(Firezone, AGatewayWithoutAPathDropsAndNeverInitiates) {
  World world(firezone(Link::none));
  world.b.send(world.now, b_to_a());
  world.set_path(world.b, Link::direct);
  world.advance(30s, false);
  EXPECT_EQ(world.b.sent.size(), 0u);
  EXPECT_EQ(world.b.count(DeviceCounter::drop_tun_no_endpoint), 1u);
}

// The first unanswered packet counts, whoever made the session.
TEST(Firezone, EitherRoleRehandshakesWithoutAnAnswer) {
  for (const bool client : {true, false}) {
    World world(firezone());
    world.connect();
    world.advance(11s);  // b's keepalive for the packet of connect()
    Node& node = client ? world.a : world.b;
    const auto before = node.count(DeviceCounter::sent_initiations);
    for (int i = 0; i < 14; ++i) {
      node.send(world.now, client ? a_to_b() : b_to_a());
      world.advance(1s, false);
      world.lose();
    }
    world.advance(1s - 1ms, false);
    EXPECT_EQ(node.count(DeviceCounter::sent_initiations), before);
    world.advance(1ms + kRekeyJitterMax, false);
    EXPECT_EQ(node.count(DeviceCounter::sent_initiations), before + 1);
  }
}

TEST(Firezone, AnAnsweredInitiationEndsTheAttempt) {
  World world(firezone());
  world.a.send(world.now, a_to_b());
  world.b.send(world.now, b_to_a());
  world.a.sent.clear();  // a's initiation is lost, b's is answered
  world.carry(world.b, world.a);
  world.lose();  // and the answer is lost
  world.b.device.set_up(world.now, false, world.b.output);
  world.advance(14s, false);
  EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), 3u) << "a new attempt after 5 s, repeated at 10 s";
  world.advance(3s, false);
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::handshake_given_up), 0u) << "15 s count from the new attempt";
  world.advance(4s, false);
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::handshake_given_up), 1u);
}

// Past 170 s an initiator does not use its session, but who has just answered a handshake is not the initiator of the
// last one.
TEST(Firezone, WhoAnswersGoesOnWithItsOldSession) {
  for (const bool answers : {true, false}) {
    World world(firezone());
    world.a.device.initiate(world.now, world.b.public_key);
    world.advance(157s);
    ASSERT_EQ(world.a.count(DeviceCounter::handshakes_completed), 1u);
    world.b.send(world.now, b_to_a());
    world.lose();
    world.advance(15s + kRekeyJitterMax, false);
    ASSERT_EQ(world.b.sent_of_type(1), 1u) << "b's packet got no answer";
    ASSERT_EQ(world.a.sent.size(), 0u);
    if (answers) {
      world.carry(world.b, world.a);
      ASSERT_EQ(world.a.sent_of_type(2), 1u);
    }
    world.a.send(world.now, a_to_b());
    EXPECT_EQ(world.a.sent_of_type(4), answers ? 1u : 0u);
    EXPECT_EQ(world.a.device.gauges().queued_packets, answers ? 0u : 1u);
  }
}

TEST(Firezone, InitiateIsNotForced) {
  struct Row {
    const char* what;
    void (*prepare)(World&);
    bool expected;
    std::size_t initiations;
  };
  const Row rows[] = {
      {"nothing is under way", [](World&) {}, true, 1},
      {"asked twice", [](World& w) { EXPECT_TRUE(w.a.device.initiate(w.now, w.b.public_key)); }, false, 1},
      {"one is unanswered", [](World& w) { w.a.send(w.now, a_to_b()); }, false, 1},
      {"a session of 6 s", [](World& w) { w.connect(), w.advance(6s); }, true, 2},
      {"a session of this moment: 5 s later", [](World& w) { w.connect(); }, false, 1},
      {"no path", [](World& w) { w.set_path(w.a, Link::none); }, false, 0},
      {"down", [](World& w) { w.a.device.set_up(w.now, false, w.a.output); }, false, 0},
      {"no private key",
       [](World& w) {
         DeviceUpdate update;
         update.private_key = crypto::Key();
         w.a.device.apply(w.now, update, w.a.output);
       },
       false, 0},
      {"no such peer",
       [](World& w) {
         DeviceUpdate update;
         update.replace_peers = true;
         w.a.device.apply(w.now, update, w.a.output);
       },
       false, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    World world(firezone());
    row.prepare(world);
    EXPECT_EQ(world.a.device.initiate(world.now, world.b.public_key), row.expected);
    world.advance(0s, false);
    EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), row.initiations);
  }
  World world(firezone());
  world.connect();
  EXPECT_FALSE(world.a.device.initiate(world.now, world.b.public_key));
  world.advance(kRekeyTimeout + kRekeyJitterMax);
  EXPECT_EQ(world.a.count(DeviceCounter::handshakes_completed), 2u) << "the retransmit timer asked again";
}

TEST(Firezone, InitiationsOnRequestCarryNoJitter) {
  World world(firezone());
  EXPECT_TRUE(world.a.device.initiate(world.now, world.b.public_key));
  ASSERT_TRUE(world.a.device.poll_timeout().has_value());
  EXPECT_LE(*world.a.device.poll_timeout(), world.now.boot);
  world.a.step(world.now);
  EXPECT_EQ(world.a.sent_of_type(1), 1u);
}

TEST(Firezone, PacketsOfOurOwnNeedASession) {
  struct Row {
    const char* what;
    std::size_t bytes;
    bool session;
    bool path;
    bool sent;
  };
  const Row rows[] = {
      {"a goodbye", kGoodbyeBytes, true, true, true},
      {"as long as the MTU", 1280, true, true, true},
      {"longer", 1281, true, true, false},
      {"no session", kGoodbyeBytes, false, true, false},
      {"no path", kGoodbyeBytes, true, false, false},
  };
  for (const Link link : {Link::direct, Link::relayed}) {
    for (const Row& row : rows) {
      SCOPED_TRACE(row.what);
      World world(firezone(link));
      if (row.session) world.connect();
      if (!row.path) world.set_path(world.a, Link::none);
      const Packet packet =
          row.bytes == kGoodbyeBytes ? Packet(kGoodbye.begin(), kGoodbye.end()) : a_to_b(row.bytes - 28);
      world.a.device.send_packet(world.now, world.b.public_key, packet, world.a.output);
      world.a.collect();
      EXPECT_EQ(world.a.sent.size(), row.sent ? 1u : 0u);
      EXPECT_EQ(world.a.count(DeviceCounter::sent_packets), row.sent ? 1u : 0u);
      EXPECT_EQ(world.a.count(DeviceCounter::unsent_no_session), row.sent ? 0u : 1u);
      EXPECT_EQ(world.a.count(DeviceCounter::sent_initiations), row.session ? 1u : 0u) << "asks for nothing";
      world.settle();
      const bool goodbye = row.sent && row.bytes == kGoodbyeBytes;
      EXPECT_EQ(world.b.events(DeviceEvent::Kind::goodbye_received), goodbye ? 1u : 0u);
      EXPECT_EQ(world.b.delivered, row.sent && !goodbye ? Packets{packet} : Packets{});
      world.a.expect_ledger();
      world.b.expect_ledger();
    }
  }
}

// One bit of the byte is not as we send it.
TEST(Firezone, AGoodbyeIsKnownByItsAddressesNextHeaderAndKind) {
  struct Row {
    std::string_view what;
    std::size_t first, last;
    bool goodbye;
  };
  constexpr Row kRows[] = {
      {"traffic class and flow label", 0, 3, true},
      {"payload length: there is less", 4, 5, false},
      {"next header", 6, 6, false},
      {"hop limit", 7, 7, true},
      {"source", 8, 23, false},
      {"destination", 24, 39, false},
      {"kind", 40, 40, false},
      {"the seven bytes behind it", 41, 47, true},
  };
  std::size_t bytes = 0;
  for (const Row& row : kRows) {
    ASSERT_EQ(row.first, bytes) << "every byte has its row";
    bytes = row.last + 1;
    for (std::size_t at = row.first; at <= row.last; ++at) {
      Packet packet(kGoodbye.begin(), kGoodbye.end());
      packet[at] ^= std::byte{1};
      EXPECT_EQ(goodbyes_of(packet), row.goodbye ? 1u : 0u) << row.what << ", byte " << at;
    }
  }
  EXPECT_EQ(bytes, kGoodbyeBytes);
  Packet longer(kGoodbye.begin(), kGoodbye.end());
  longer.resize(kGoodbyeBytes + 2);
  longer[5] = std::byte{10};
  EXPECT_EQ(goodbyes_of(longer), 1u) << "more may follow";
  Packet shorter(kGoodbye.begin(), kGoodbye.end() - 1);
  shorter[5] = std::byte{7};
  EXPECT_EQ(goodbyes_of(shorter), 0u) << "less than the eight bytes of the envelope";
  Packet version(kGoodbye.begin(), kGoodbye.end());
  version[0] = std::byte{0x40};
  EXPECT_EQ(goodbyes_of(version), 0u) << "IPv4";
}

TEST(Firezone, LastDataIsThatOfIpPackets) {
  World world(firezone());
  const auto last = [&](const Node& node, const Node& other) { return node.device.last_data(other.public_key); };
  EXPECT_EQ(last(world.a, world.b), std::nullopt);
  EXPECT_EQ(world.a.device.last_data(world.a.public_key), std::nullopt) << "no such peer";
  const Instant first = world.now.boot;
  world.a.send(world.now, a_to_b());
  EXPECT_EQ(last(world.a, world.b), first) << "also what waits for a session";
  world.settle();
  EXPECT_EQ(last(world.b, world.a), first);
  world.advance(15s);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_keepalives), 1u);
  EXPECT_EQ(last(world.a, world.b), first) << "neither the keepalive nor a handshake counts";
  EXPECT_EQ(last(world.b, world.a), first);
  world.b.send(world.now, b_to_a());
  EXPECT_EQ(last(world.b, world.a), world.now.boot);
  world.settle();
  EXPECT_EQ(last(world.a, world.b), world.now.boot);
}

TEST(Firezone, WatchedDataIsReportedOnce) {
  World world(firezone());
  world.connect();
  for (Node* node : {&world.a, &world.b}) {
    node->device.watch_data(node == &world.a ? world.b.public_key : world.a.public_key);
  }
  world.advance(11s);
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::data_moved), 0u) << "a keepalive is no data";
  world.a.send(world.now, a_to_b());
  world.a.send(world.now, a_to_b());
  world.settle();
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::data_moved), 1u);
  EXPECT_EQ(world.b.events(DeviceEvent::Kind::data_moved), 1u);
  world.b.send(world.now, b_to_a());
  world.settle();
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::data_moved), 1u) << "until it is watched again";
}

// Two clients behind one NAT, whose datagrams the gateway sees with one address and in one receive buffer.
TEST(Firezone, SessionsAreFoundByIndexAndNotByAddress) {
  World world(firezone());
  Node third(3, "192.0.2.1:51820", {.profile = kFirezoneProfile, .mtu = 1280}, world.now);
  DeviceUpdate update;
  update.peers.push_back(peer_update(world.b.public_key, {"10.0.0.2/32"}));
  update.peers.front().endpoint = world.b.address;
  third.device.apply(world.now, update, third.output);
  update.peers.front() = peer_update(third.public_key, {"10.0.0.3/32"});
  update.peers.front().endpoint = third.address;
  world.b.device.apply(world.now, update, world.b.output);
  world.a.send(world.now, a_to_b());
  third.send(world.now, udp_packet("10.0.0.3", "10.0.0.2", 100));
  for (int round = 0; round < 3; ++round) {
    std::vector<Datagram> datagrams = std::exchange(world.a.sent, {});
    std::ranges::move(std::exchange(third.sent, {}), std::back_inserter(datagrams));
    for (Datagram& datagram : datagrams) datagram.train = 0;
    world.b.receive(world.now, datagrams);
    world.b.step(world.now);
    // The NAT's reverse way, at its worst: both get everything.
    const std::vector<Datagram> answers = std::exchange(world.b.sent, {});
    for (Node* client : {&world.a, &third}) {
      client->receive(world.now, answers);
      client->step(world.now);
    }
  }
  EXPECT_EQ(world.b.delivered, (Packets{a_to_b(), udp_packet("10.0.0.3", "10.0.0.2", 100)}));
  world.b.send(world.now, {b_to_a(), udp_packet("10.0.0.2", "10.0.0.3", 7)});
  const std::vector<Datagram> answers = std::exchange(world.b.sent, {});
  world.a.receive(world.now, answers);
  third.receive(world.now, answers);
  EXPECT_EQ(world.a.delivered, Packets{b_to_a()});
  EXPECT_EQ(third.delivered, Packets{udp_packet("10.0.0.2", "10.0.0.3", 7)});
}

// The channel of an address behind the relay, as far as there is one.
class Channels final : public ReturnPath {
 public:
  std::optional<PeerPath> return_path(const Endpoint& source, const packet::LocalAddress& local) const override {
    asked.emplace_back(source, local.address);
    return known;
  }
  std::optional<PeerPath> known;
  mutable std::vector<std::pair<Endpoint, IpAddress>> asked;
};

TEST(Firezone, CookieRepliesToRelayedSendersGoThroughTheirChannel) {
  const PeerPath back{.destination = Endpoint::parse("192.0.2.100:3478").value(), .channel = 0x4007};
  for (const bool known : {true, false}) {
    Channels channels;
    if (known) channels.known = back;
    World::Options options = firezone(Link::relayed);
    options.return_path = &channels;
    World world(options);
    world.set_path(world.b, Link::none);
    world.a.send(world.now, a_to_b());
    Datagram initiation = world.a.sent.at(0);
    initiation.source = world.a.relayed;
    initiation.destination = world.b.relayed;
    initiation.skip = stun::kChannelHeaderBytes;
    world.b.receive(world.now, std::vector<Datagram>(101, initiation));
    world.b.step(world.now);
    EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_cookie_sent), 1u);
    EXPECT_EQ(channels.asked, (std::vector{std::pair(world.a.relayed, world.b.relayed.address)}));
    EXPECT_EQ(world.b.count(DeviceCounter::sent_cookie_replies), known ? 1u : 0u);
    EXPECT_EQ(world.b.count(DeviceCounter::unsent_no_path), known ? 0u : 1u);
    ASSERT_EQ(world.b.sent.size(), known ? 1u : 0u);
    if (!known) continue;
    EXPECT_EQ(world.b.sent[0].type(), 3u);
    EXPECT_EQ(world.b.sent[0].destination, back.destination);
    EXPECT_EQ(load_be16(world.b.sent[0].bytes, 0), 0x4007u);
  }
}

TEST(Firezone, CookieRepliesToDirectSendersGoBackToThem) {
  World world(firezone(Link::none));
  world.set_path(world.a, Link::direct);
  world.a.send(world.now, a_to_b());
  world.b.receive(world.now, std::vector<Datagram>(101, world.a.sent.at(0)));
  world.b.step(world.now);
  ASSERT_EQ(world.b.sent_of_type(3), 1u);
  EXPECT_EQ(world.b.sent[0].destination, world.a.address);
  EXPECT_EQ(world.b.sent[0].local.address, world.b.address.address) << "from where it came in";
}

TEST(Firezone, ManyPeersThatFailAtOnceAreAllReported) {
  constexpr std::size_t kPeers = 1000;
  const Now now{.boot = Instant(1000s), .wall = UnixTime(1'700'000'000s)};
  DeviceOptions options{.profile = kFirezoneProfile, .mtu = 1280};
  options.events_max = 4 * kPeers;
  Node node(9, "192.0.2.9:1", options, now);
  DeviceUpdate update;
  for (std::size_t i = 0; i < kPeers; ++i) {
    crypto::PublicKey key{{std::byte{1}}};
    store_be32(key.bytes, 4, static_cast<std::uint32_t>(i));
    update.peers.push_back(peer_update(key));
    update.peers.back().endpoint = Endpoint::parse("192.0.2.2:1");
  }
  node.device.apply(now, update, node.output);
  node.handle_timeout({.boot = now.boot + kZeroKeysAfter, .wall = now.wall});
  EXPECT_EQ(node.events(DeviceEvent::Kind::keys_zeroed), kPeers);
  EXPECT_EQ(node.count(DeviceCounter::lost_events), 0u);
}

}  // namespace
}  // namespace fireline::wireguard
