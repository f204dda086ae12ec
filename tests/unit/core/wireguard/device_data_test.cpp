// Data through two devices: handshake, order, super-packets, trains, ECN, too big, MTUs, ICMP.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/packet/ecn.h"
#include "core/packet/ip_packet.h"
#include "core/packet/segmenter.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

// What the kernel would make of a super-packet.
Packets cut(const Packet& packet, const packet::Offload& offload) {
  Packet copy = packet;
  const auto segmenter = packet::Segmenter::make({.bytes = copy, .offload = offload}).value();
  Packets segments;
  for (std::size_t i = 0; i < segmenter.segment_count(); ++i) {
    segmenter.write(i, segments.emplace_back(segmenter.segment_length(i)).data());
  }
  return segments;
}

TEST(DeviceData, FirstPacketMakesTheHandshakeAndArrives) {
  for (const bool preshared : {false, true}) {
    for (const bool v6 : {false, true}) {
      SCOPED_TRACE(preshared);
      World world({.preshared_key = preshared, .underlay_v6 = v6});
      world.a.send(world.now, a_to_b());
      ASSERT_EQ(world.a.sent.size(), 1u);
      EXPECT_EQ(world.a.sent.front().type(), 1u);
      world.settle();
      EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
      world.b.send(world.now, b_to_a());
      world.settle();
      EXPECT_EQ(world.a.delivered, Packets{b_to_a()});
      EXPECT_EQ(world.a.events(DeviceEvent::Kind::handshake_completed), 1u);
      EXPECT_EQ(world.b.events(DeviceEvent::Kind::handshake_completed), 1u);
      world.a.expect_ledger();
      world.b.expect_ledger();
    }
  }
}

TEST(DeviceData, DifferentPresharedKeysMeetNobody) {
  World world({.preshared_key = true});
  DeviceUpdate update;
  update.peers.push_back(peer_update(world.a.public_key));
  update.peers.front().preshared_key = seeded_key(98);
  world.b.device.apply(world.now, update, world.b.output);
  world.a.send(world.now, a_to_b());
  world.settle();
  EXPECT_TRUE(world.b.delivered.empty());
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_bad_response), 1u);
  world.a.expect_ledger();
}

TEST(DeviceData, PacketsOfAllSizesBothFamiliesBothWays) {
  for (const std::uint16_t mtu : std::initializer_list<std::uint16_t>{576, 1280, 1420, 1500, 9000}) {
    SCOPED_TRACE(mtu);
    World world({.mtu = mtu});
    world.connect();
    Packets sent;
    for (std::size_t bytes = 0; bytes + 28 <= mtu; bytes += bytes < 40 ? 1 : 53) sent.push_back(a_to_b(bytes));
    sent.push_back(a_to_b(mtu - 28u));
    for (std::size_t bytes = 0; bytes + 48 <= mtu; bytes += 97) {
      sent.push_back(udp_packet("fd00::1", "fd00::2", bytes, 9));
    }
    for (std::size_t i = 0; i < sent.size(); i += 50) {
      world.a.send(world.now, Packets(sent.begin() + static_cast<std::ptrdiff_t>(i),
                                      sent.begin() + static_cast<std::ptrdiff_t>(std::min(sent.size(), i + 50))));
      world.settle();
    }
    EXPECT_EQ(world.b.delivered, sent);
    world.b.send(world.now, udp_packet("fd00::2", "fd00::1", 333));
    world.settle();
    EXPECT_EQ(world.a.delivered, Packets{udp_packet("fd00::2", "fd00::1", 333)});
    world.a.expect_ledger();
    world.b.expect_ledger();
  }
}

TEST(DeviceData, ASuperPacketLeavesAsFullTrainsAndArrivesMerged) {
  for (const bool v6 : {false, true}) {
    SCOPED_TRACE(v6);
    World world({.tun_offloads = {.tcp4 = true, .tcp6 = true, .udp = true}});
    world.connect();
    packet::Offload offload;
    const std::uint16_t segment = v6 ? 1360 : 1380;
    const Packet whole = v6 ? tcp_super_packet("fd00::1", "fd00::2", 64000, segment, offload)
                            : tcp_super_packet("10.0.0.1", "10.0.0.2", 64000, segment, offload);
    world.a.send(world.now, whole, offload);
    const Packets expected = cut(whole, offload);
    ASSERT_EQ(world.a.sent.size(), expected.size());
    std::map<std::size_t, std::size_t> trains;
    for (const Datagram& datagram : world.a.sent) trains[datagram.train] += datagram.bytes.size();
    EXPECT_EQ(trains.size(), 2u) << "65,487 bytes in one train, the rest in another";
    EXPECT_EQ(world.a.small.out(), 0u);
    world.settle();
    EXPECT_EQ(world.b.delivered, expected);
    EXPECT_LE(world.b.tun_writes, 2u) << "one receive buffer, one write";
    world.a.expect_ledger();
    world.b.expect_ledger();
  }
}

TEST(DeviceData, ATrainHoldsEqualLengthsAndOneEcn) {
  World world;
  world.connect();
  const struct {
    const char* rule;
    Packets packets;
    std::vector<std::size_t> trains;  // datagrams in each
  } rows[] = {
      {"equal lengths are one train", {a_to_b(500), a_to_b(500), a_to_b(500)}, {3}},
      {"lengths that padding makes equal, too", {a_to_b(500), a_to_b(499)}, {2}},
      {"a shorter one is the last", {a_to_b(500), a_to_b(100), a_to_b(100)}, {2, 1}},
      {"a longer one begins another", {a_to_b(100), a_to_b(500)}, {1, 1}},
      {"another ECN begins another",
       {a_to_b(500), udp_packet("10.0.0.1", "10.0.0.2", 500, 0, packet::Ecn::ect0), a_to_b(500)},
       {1, 1, 1}},
      {"64 at most", Packets(70, a_to_b(10)), {64, 6}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    world.a.send(world.now, row.packets);
    std::map<std::size_t, std::size_t> trains;
    for (const Datagram& datagram : world.a.sent) ++trains[datagram.train];
    std::vector<std::size_t> counts;
    for (const auto& [number, count] : trains) counts.push_back(count);
    EXPECT_EQ(counts, row.trains);
    world.b.delivered.clear();
    world.settle();
    EXPECT_EQ(world.b.delivered, row.packets);
  }
}

TEST(DeviceData, ASmallTurnTakesASmallBuffer) {
  World world;
  world.connect();
  packet::TunBatch batch = Node::tun_batch(world.a.input, {a_to_b(1300)});
  world.a.device.plan(world.now, batch, *world.a.work);
  EXPECT_EQ(world.a.large.out(), 0u);
  EXPECT_EQ(world.a.small.out(), 1u);
  world.a.run(*world.a.work);
  world.a.device.commit(world.now, *world.a.work, world.a.output);
  world.a.collect();
  batch = Node::tun_batch(world.a.input, Packets(40, a_to_b(1300)));
  world.a.device.plan(world.now, batch, *world.a.work);
  EXPECT_EQ(world.a.large.out(), 1u) << "forty packets share one";
  EXPECT_EQ(world.a.small.out(), 0u);
  world.a.run(*world.a.work);
  world.a.device.commit(world.now, *world.a.work, world.a.output);
  world.a.collect();
}

TEST(DeviceData, EmptyPoolsDropAndCount) {
  World world;
  world.connect();
  world.a.large.set_limit(0);
  world.a.small.set_limit(0);
  world.a.send(world.now, {a_to_b(), a_to_b(1000)});
  EXPECT_TRUE(world.a.sent.empty());
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_no_buffer), 2u);
  world.a.small.set_limit(1);
  world.a.send(world.now, Packets(3, a_to_b(1000)));
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_no_buffer), 4u) << "the one small buffer takes one of the three";
  world.a.expect_ledger();
}

TEST(DeviceData, TheTunTakesSuperPacketsUntilItDoesNot) {
  World world({.tun_offloads = {.tcp4 = true, .tcp6 = true, .udp = true}});
  world.connect();
  std::uint32_t sequence = 1000;
  std::uint32_t bytes = 500;
  const auto writes_of_four = [&] {
    Packets sent;
    for (int i = 0; i < 4; ++i) sent.push_back(tcp_packet("fd00::1", "fd00::2", sequence += bytes, bytes));
    world.b.delivered.clear();
    world.b.tun_writes = 0;
    world.a.send(world.now, sent);
    world.settle();
    EXPECT_EQ(world.b.delivered, sent);
    return world.b.tun_writes;
  };
  EXPECT_EQ(writes_of_four(), 1u) << "560 bytes each";
  bytes = 501;
  EXPECT_EQ(writes_of_four(), 1u) << "561 bytes and padding, which does not keep them apart";
  world.b.device.stop_merging();
  EXPECT_EQ(writes_of_four(), 4u);
  world.b.device.set_tun_offloads({.tcp6 = true});
  EXPECT_EQ(writes_of_four(), 1u);
}

TEST(DeviceData, EcnGoesOutAndComesIn) {
  World world;
  world.connect();
  using packet::Ecn;
  const Ecn all[] = {Ecn::not_ect, Ecn::ect1, Ecn::ect0, Ecn::ce};
  for (const Ecn inner : all) {
    for (const Ecn outer : all) {
      SCOPED_TRACE(static_cast<int>(inner) * 10 + static_cast<int>(outer));
      const Packet packet = udp_packet("10.0.0.1", "10.0.0.2", 50, 0, inner);
      world.a.send(world.now, packet);
      ASSERT_EQ(world.a.sent.size(), 1u);
      EXPECT_EQ(world.a.sent.front().ecn, inner) << "the outer bits copy the inner ones";
      world.a.sent.front().ecn = outer;
      world.b.delivered.clear();
      world.settle();
      ASSERT_EQ(world.b.delivered.size(), 1u);
      const bool marked = outer == Ecn::ce && (inner == Ecn::ect0 || inner == Ecn::ect1);
      EXPECT_EQ(world.b.delivered.front(), udp_packet("10.0.0.1", "10.0.0.2", 50, 0, marked ? Ecn::ce : inner));
    }
  }
}

TEST(DeviceData, HandshakesAndKeepalivesAreNotEct) {
  World world;
  world.a.send(world.now, udp_packet("10.0.0.1", "10.0.0.2", 50, 0, packet::Ecn::ect0));
  ASSERT_EQ(world.a.sent.size(), 1u);
  EXPECT_EQ(world.a.sent.front().ecn, packet::Ecn::not_ect);
  world.carry(world.a, world.b);
  ASSERT_EQ(world.b.sent.size(), 1u);
  EXPECT_EQ(world.b.sent.front().ecn, packet::Ecn::not_ect);
  world.carry(world.b, world.a);
  ASSERT_EQ(world.a.sent.size(), 1u);
  EXPECT_EQ(world.a.sent.front().ecn, packet::Ecn::ect0) << "the queued packet keeps its own";
}

// type, code and the packet's first bytes of the ICMP error on the TUN.
void expect_icmp(const Packet& error, std::uint8_t type, std::uint8_t code, const std::string& destination) {
  const auto parsed = packet::IpPacket::parse(error).value();
  EXPECT_EQ(load_u8(parsed.transport(), 0), type);
  EXPECT_EQ(load_u8(parsed.transport(), 1), code);
  EXPECT_EQ(parsed.destination_address().to_string(), destination);
}

TEST(DeviceData, OversizedPacketsAreAnsweredWithTooBig) {
  World world({.mtu = 1300});
  world.connect();
  world.a.send(world.now, {a_to_b(1273), udp_packet("fd00::1", "fd00::2", 1253)});
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_too_big), 2u);
  ASSERT_EQ(world.a.delivered.size(), 2u);
  expect_icmp(world.a.delivered[0], 3, 4, "10.0.0.1");
  EXPECT_EQ(load_be16(world.a.delivered[0], 26), 1300u) << "next-hop MTU";
  expect_icmp(world.a.delivered[1], 2, 0, "fd00::1");
  EXPECT_EQ(load_be32(world.a.delivered[1], 44), 1300u);
  // A segment of a super-packet counts, not the whole.
  packet::Offload offload;
  const Packet whole = tcp_super_packet("10.0.0.1", "10.0.0.2", 5000, 1261, offload);
  world.a.send(world.now, whole, offload);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_too_big), 6u);
  world.a.expect_ledger();
}

TEST(DeviceData, NoPeerAndNoEndpointAreAnswered) {
  World world;
  world.a.send(world.now, {udp_packet("10.0.0.1", "10.9.9.9", 10), udp_packet("fd00::1", "fd99::1", 10)});
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_no_peer), 2u);
  ASSERT_EQ(world.a.delivered.size(), 2u);
  expect_icmp(world.a.delivered[0], 3, 1, "10.0.0.1");
  expect_icmp(world.a.delivered[1], 1, 0, "fd00::1");
  DeviceUpdate update;
  update.peers.push_back(peer_update(crypto::PublicKey{{std::byte{1}}}, {"10.5.0.0/16"}));
  world.a.device.apply(world.now, update, world.a.output);
  world.a.send(world.now, udp_packet("10.0.0.1", "10.5.0.1", 10));
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_no_endpoint), 1u);
  EXPECT_EQ(world.a.delivered.size(), 3u);
  // An ICMP error is never answered, and the rest is limited.
  const Packet error = world.a.delivered[0];
  Packet offending = error;
  std::ranges::copy(IpAddress::parse("10.9.9.9")->bytes(), offending.begin() + 16);
  world.a.send(world.now, offending);
  EXPECT_EQ(world.a.delivered.size(), 3u);
  for (int i = 0; i < 5; ++i) world.a.send(world.now, Packets(30, udp_packet("10.0.0.1", "10.9.9.9", 10)));
  EXPECT_LT(world.a.delivered.size(), 60u);
  EXPECT_GT(world.a.count(DeviceCounter::unsent_icmp_limited), 90u);
  world.a.expect_ledger();
}

TEST(DeviceData, WhatIsNoPacketIsDropped) {
  World world;
  world.connect();
  Packet short_length = a_to_b();
  store_be16(short_length, 2, 2000);
  world.a.send(world.now, {Packet(30, std::byte{0x99}), short_length, Packet(5, std::byte{0x45})});
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_bad_packet), 3u);
  packet::Offload offload;
  const Packet whole = tcp_super_packet("10.0.0.1", "10.0.0.2", 5000, 1200, offload);
  offload.segmentation = packet::Segmentation::tcp6;
  world.a.send(world.now, whole, offload);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_bad_segmentation), 1u);
  EXPECT_TRUE(world.a.sent.empty());
  world.a.expect_ledger();
}

TEST(DeviceData, ASourceThatIsNotThePeersIsDropped) {
  World world;
  world.connect();
  world.a.send(world.now, {udp_packet("10.0.0.7", "10.0.0.2", 50), a_to_b(), udp_packet("fd00::9", "fd00::2", 50)});
  world.settle();
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_disallowed_source), 2u);
  world.b.expect_ledger();
}

// a00:7::1 begins with the bytes of 10.0.0.7.
TEST(DeviceData, ASourceIsOfItsFamily) {
  World world;
  world.connect();
  DeviceUpdate update;
  update.peers.push_back(peer_update(world.a.public_key, {"a00:7::1/128"}));
  world.b.device.apply(world.now, update, world.b.output);
  const Packet allowed = udp_packet("a00:7::1", "fd00::2", 50);
  world.a.send(world.now, {allowed, udp_packet("10.0.0.7", "10.0.0.2", 50), allowed});
  world.settle();
  EXPECT_EQ(world.b.delivered, (Packets{allowed, allowed}));
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_disallowed_source), 1u);
}

TEST(DeviceData, ReplayedAndForgedPacketsAreDropped) {
  World world;
  world.connect();
  world.a.send(world.now, a_to_b());
  const std::vector<Datagram> sent = world.a.sent;
  // Twice in one batch, and again later.
  world.b.receive(world.now, {sent[0], sent[0]});
  world.b.receive(world.now, sent);
  EXPECT_EQ(world.b.delivered.size(), 1u);
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_replayed), 2u);
  Datagram forged = sent[0];
  store_le64(forged.bytes, 8, 77);
  world.b.receive(world.now, {forged});
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_not_authentic), 1u);
  store_le32(forged.bytes, 4, load_le32(forged.bytes, 4) + 1);
  world.b.receive(world.now, {forged});
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_unknown_session), 1u) << "the full index must match";
  world.b.expect_ledger();
}

// Opens what a has sent, packets of these lengths, and looks at what stands behind them.
void expect_zero_padding(World& world, const std::vector<std::size_t>& packets) {
  const std::vector<Datagram> all = world.a.sent;
  packet::UdpBatch batch = world.b.udp_batch(all);
  world.b.device.plan(world.now, batch, *world.b.work);
  world.b.run(*world.b.work);
  ASSERT_EQ(world.b.work->jobs.size(), packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const crypto::AeadJob& job = world.b.work->jobs[i];
    ASSERT_TRUE(job.authentic);
    EXPECT_TRUE(std::all_of(job.data + packets[i], job.data + job.bytes, [](std::byte b) { return b == std::byte{0}; }))
        << packets[i];
  }
  world.b.device.commit(world.now, *world.b.work, world.b.output);
  world.b.collect();
}

TEST(DeviceData, PaddingOfPacketsThatWaitedIsZero) {
  World world({.mtu = 1000});
  world.a.send(world.now, {a_to_b(0), a_to_b(5), a_to_b(965)});
  world.carry(world.a, world.b);
  world.carry(world.b, world.a);
  expect_zero_padding(world, {28, 33, 993});
  EXPECT_EQ(world.b.delivered.size(), 3u);
}

TEST(DeviceData, PaddingIsZeroAndStopsAtTheMtu) {
  World world({.mtu = 1000});
  world.connect();
  const struct {
    std::size_t packet, datagram;
  } rows[] = {{28, 32 + 32}, {32, 32 + 32}, {33, 48 + 32}, {990, 992 + 32}, {993, 1000 + 32}, {1000, 1000 + 32}};
  for (const auto& row : rows) {
    world.a.send(world.now, a_to_b(row.packet - 28));
    EXPECT_EQ(world.a.sent.back().bytes.size(), row.datagram) << row.packet;
  }
  world.b.delivered.clear();
  expect_zero_padding(world, {28, 32, 33, 990, 993, 1000});
  EXPECT_EQ(world.b.delivered.size(), std::size(rows)) << "cut to the inner length";
  EXPECT_EQ(world.b.delivered[0].size(), 28u);
}

TEST(DeviceData, ByteCountersAreThoseOfTheKernel) {
  World world;
  world.a.send(world.now, a_to_b(100));
  world.settle();
  const auto a = world.a.device.status().peers.at(0);
  const auto b = world.b.device.status().peers.at(0);
  EXPECT_EQ(a.sent_bytes, 148u + 128 + 32) << "an initiation and a padded packet";
  EXPECT_EQ(a.received_bytes, 92u);
  EXPECT_EQ(b.sent_bytes, a.received_bytes);
  EXPECT_EQ(b.received_bytes, a.sent_bytes);
}

}  // namespace
}  // namespace fireline::wireguard
