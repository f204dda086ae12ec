// Peers behind paths: trains through a TURN channel, what waits for the first path, and what a change of path does.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/stun/channel_data.h"
#include "core/wireguard/constants.h"
#include "core/wireguard/goodbye.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

World::Options firezone(Link link, bool queue_without_path = false) {
  World::Options options;
  options.profile = kFirezoneProfile;
  options.mtu = 1280;
  options.link = link;
  options.queue_without_path = queue_without_path;
  return options;
}

std::vector<std::size_t> sizes_of_trains(const Node& node) {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < node.sent.size(); ++i) {
    if (i == 0 || node.sent[i].train != node.sent[i - 1].train) sizes.push_back(0);
    ++sizes.back();
  }
  return sizes;
}

TEST(DevicePath, ARelayedTrainIsADirectOneWithAHeaderInFrontOfEachSegment) {
  struct Row {
    const char* what;
    std::size_t packets;
    std::size_t payload;
    std::size_t last_payload;
    std::vector<std::size_t> trains;
  };
  const Row rows[] = {
      {"one packet", 1, 1000, 1000, {1}},
      {"a few equal ones", 10, 1252, 1252, {10}},
      {"a shorter last one stays in the train", 10, 1252, 100, {10}},
      {"a longer one begins another", 2, 100, 1000, {1, 1}},
      {"as many as a GSO send takes", 49, 1252, 1252, {49}},
      {"one more than its bytes hold", 50, 1252, 1252, {49, 1}},
      {"one more than its segments", 65, 100, 100, {64, 1}},
      {"no short train in what is left of a buffer", 98, 1252, 1252, {49, 49}},
      {"nor with a shorter last one", 99, 1252, 100, {49, 50}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    for (const Link link : {Link::direct, Link::relayed}) {
      World world(firezone(link));
      world.connect();
      Packets packets(row.packets - 1, a_to_b(row.payload));
      packets.push_back(a_to_b(row.last_payload));
      world.a.send(world.now, packets);
      EXPECT_EQ(sizes_of_trains(world.a), row.trains);
      EXPECT_TRUE(std::ranges::all_of(world.a.sent, [&](const Datagram& datagram) {
        return datagram.on_channel() == (link == Link::relayed) &&
               datagram.destination == world.path_from(world.a, link).destination &&
               datagram.local == world.path_from(world.a, link).local;
      }));
      world.settle();
      EXPECT_EQ(world.b.delivered, packets);
      world.b.expect_ledger();
    }
  }
}

TEST(DevicePath, ASuperPacketFillsRelayedTrains) {
  for (const auto& [link, header] : {std::pair(Link::direct, 0u), std::pair(Link::relayed, 4u)}) {
    World world(firezone(link));
    world.connect();
    packet::Offload offload;
    const Packet whole = tcp_super_packet("10.0.0.1", "10.0.0.2", 40 * 1200, 1200, offload);
    world.a.send(world.now, whole, offload);
    EXPECT_EQ(sizes_of_trains(world.a), std::vector<std::size_t>{40});
    for (const Datagram& datagram : world.a.sent) {
      EXPECT_EQ(datagram.bytes.size(), header + 1200 + 40 + kTransportOverheadBytes);
    }
    world.settle();
    EXPECT_EQ(world.b.delivered.size(), 40u);
  }
}

TEST(DevicePath, TheLongestPacketFitsAChannel) {
  World::Options options = firezone(Link::relayed);
  options.mtu = kMtuMax;
  World world(options);
  world.connect();
  const Packet longest = a_to_b(kMtuMax - 28);
  world.a.send(world.now, longest);
  world.settle();
  EXPECT_EQ(world.b.delivered, Packets{longest});
}

TEST(DevicePath, BothWaysAndEveryKindOfMessageUseTheChannel) {
  World world(firezone(Link::relayed));
  world.a.send(world.now, {a_to_b(10), a_to_b(20)});
  EXPECT_EQ(world.a.sent_of_type(1), 1u);
  world.settle();  // response, keepalive, what was queued: the relay refuses whatever has no channel header
  EXPECT_EQ(world.b.delivered, (Packets{a_to_b(10), a_to_b(20)}));
  EXPECT_EQ(world.a.count(DeviceCounter::sent_keepalives), 1u);
  world.b.send(world.now, b_to_a());
  world.settle();
  EXPECT_EQ(world.a.delivered, Packets{b_to_a()});
  world.advance(12s);  // passive keepalive
  EXPECT_EQ(world.b.count(DeviceCounter::keepalives), 2u);
  world.a.expect_ledger();
  world.b.expect_ledger();
}

TEST(DevicePath, StatusCountsMessagesWithoutChannelHeaders) {
  std::uint64_t sent[2] = {};
  for (const Link link : {Link::direct, Link::relayed}) {
    World world(firezone(link));
    world.connect();
    world.a.send(world.now, {a_to_b(), a_to_b(), a_to_b()});
    world.settle();
    const PeerStatus a = world.a.device.status().peers.at(0);
    const PeerStatus b = world.b.device.status().peers.at(0);
    EXPECT_EQ(a.sent_bytes, b.received_bytes);
    sent[link == Link::relayed ? 1 : 0] = a.sent_bytes;
  }
  EXPECT_EQ(sent[0], sent[1]);
}

TEST(DevicePath, ARelayedTrainIsOpenedWhereItLies) {
  World world(firezone(Link::relayed));
  world.connect();
  world.a.send(world.now, Packets(5, a_to_b(200)));
  for (Datagram& datagram : world.a.sent) {
    datagram.skip = stun::kChannelHeaderBytes;
    datagram.source = world.a.relayed;
  }
  packet::UdpBatch batch = world.b.udp_batch(world.a.sent);
  ASSERT_EQ(batch.datagrams.size(), 1u) << "one receive buffer";
  const packet::ReceivedDatagrams received = batch.datagrams[0];
  world.b.device.plan(world.now, batch, *world.b.work);
  ASSERT_EQ(world.b.work->jobs.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    const std::byte* expected = received.bytes.data() + i * received.segment_bytes + stun::kChannelHeaderBytes;
    EXPECT_EQ(world.b.work->jobs[i].data, expected + kTransportHeaderBytes);
  }
  world.b.run(*world.b.work);
  world.b.device.commit(world.now, *world.b.work, world.b.output);
  world.b.collect();
  EXPECT_EQ(world.b.delivered, Packets(5, a_to_b(200)));
}

TEST(DevicePath, WhatIsShorterThanItsChannelHeaderIsNoMessage) {
  World world(firezone(Link::relayed));
  world.connect();
  for (std::size_t bytes = 0; bytes <= 8; ++bytes) {
    Datagram datagram;
    datagram.bytes.assign(bytes, std::byte{4});
    datagram.source = world.a.relayed;
    datagram.destination = world.b.relayed;
    datagram.skip = stun::kChannelHeaderBytes;
    world.b.receive(world.now, {datagram});
  }
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_not_wireguard), 9u);
  world.b.expect_ledger();
}

TEST(DevicePath, WithoutAPathPacketsWaitOrAreDropped) {
  for (const bool queue : {true, false}) {
    World world(firezone(Link::none, queue));
    world.a.send(world.now, {a_to_b(1), a_to_b(2), a_to_b(3)});
    world.advance(600s);
    EXPECT_EQ(world.a.sent.size(), 0u) << "no initiation";
    EXPECT_EQ(world.a.delivered.size(), 0u) << "no ICMP error either: the path is being looked for";
    EXPECT_EQ(world.a.device.gauges().queued_packets, queue ? 3u : 0u);
    EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_no_endpoint), queue ? 0u : 3u);
    world.a.expect_ledger();
  }
}

TEST(DevicePath, NoTimerRunsWithoutAPath) {
  World world(firezone(Link::none, true));
  EXPECT_EQ(world.a.device.poll_timeout(), std::nullopt) << "the 540 s of a peer without a session do not run";
  world.set_path(world.a, Link::direct);
  world.set_path(world.b, Link::direct);
  EXPECT_TRUE(world.a.device.poll_timeout().has_value());
  world.connect();
  world.a.send(world.now, a_to_b());
  world.lose();
  world.set_path(world.a, Link::none);
  EXPECT_EQ(world.a.device.poll_timeout(), std::nullopt);
  world.advance(20s, false);
  EXPECT_EQ(world.a.sent.size(), 0u);
  world.set_path(world.a, Link::direct);
  world.advance(0s, false);
  EXPECT_EQ(world.a.sent_of_type(1), 1u) << "what was due meanwhile: no answer for 15 s";
}

TEST(DevicePath, TimeWithoutAPathIsNoPartOfAnAttempt) {
  World world(firezone(Link::direct, true));
  world.a.send(world.now, a_to_b());
  world.lose();
  world.set_path(world.a, Link::none);
  world.advance(60s, false);
  world.set_path(world.a, Link::relayed);
  world.set_path(world.b, Link::relayed);
  world.advance(1s);
  EXPECT_EQ(world.a.events(DeviceEvent::Kind::handshake_given_up), 0u);
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
}

TEST(DevicePath, AtTheFirstPathResponsesLeaveBeforePackets) {
  World world(firezone(Link::none, true));
  world.set_path(world.a, Link::direct);
  for (std::uint8_t i = 0; i < 3; ++i) world.a.send(world.now, a_to_b(10 + i, i));
  world.carry(world.a, world.b);
  EXPECT_EQ(world.b.sent.size(), 0u);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_responses), 0u);
  world.b.send(world.now, b_to_a());
  world.set_path(world.b, Link::direct);
  ASSERT_EQ(world.b.sent.size(), 1u) << "the packet waits for the initiator's first";
  EXPECT_EQ(world.b.sent[0].type(), 2u);
  world.settle();
  EXPECT_EQ(world.b.delivered, (Packets{a_to_b(10, 0), a_to_b(11, 1), a_to_b(12, 2)})) << "in order";
  EXPECT_EQ(world.a.delivered, Packets{b_to_a()});
  EXPECT_EQ(world.b.count(DeviceCounter::sent_initiations), 0u);
  EXPECT_EQ(world.b.count(DeviceCounter::sent_responses), 1u);
}

TEST(DevicePath, TheNewestResponsesAreKept) {
  World world(firezone(Link::none, true));
  world.set_path(world.a, Link::direct);
  world.a.send(world.now, a_to_b());
  for (int i = 0; i < 2; ++i) {  // a's initiations at 0, 5 and 10 s reach b; its responses wait
    world.carry(world.a, world.b);
    world.advance_alone(world.a, 6s);
  }
  world.carry(world.a, world.b);
  EXPECT_EQ(world.b.count(DeviceCounter::initiations), 3u);
  EXPECT_EQ(world.b.count(DeviceCounter::unsent_no_path), 1u);
  world.set_path(world.b, Link::direct);
  EXPECT_EQ(world.b.sent_of_type(2), kHeldResponses);
  world.settle();
  EXPECT_EQ(world.a.count(DeviceCounter::responses), kHeldResponses) << "a takes those to its last two initiations";
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
}

TEST(DevicePath, ResponsesThatWaitGoWithTheirHandshakes) {
  World world(firezone(Link::none, true));
  world.set_path(world.a, Link::direct);
  world.a.send(world.now, a_to_b());
  world.carry(world.a, world.b);
  DeviceUpdate update;
  update.private_key = seeded_key(77);
  world.b.device.apply(world.now, update, world.b.output);
  world.set_path(world.b, Link::direct);
  EXPECT_EQ(world.b.sent.size(), 0u) << "made with another key";
}

TEST(DevicePath, ABoundedNumberOfPacketsWaitsForAPathAndTheOldestGo) {
  World world(firezone(Link::none, true));
  Packets sent;
  for (std::size_t i = 0; i < kQueuedWithoutPath + 5; ++i) {
    sent.push_back(a_to_b(20 + i));
    world.a.send(world.now, sent.back());
  }
  EXPECT_EQ(world.a.device.gauges().queued_packets, kQueuedWithoutPath);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_queue_full), 5u);
  world.set_path(world.a, Link::relayed);
  world.set_path(world.b, Link::relayed);
  world.advance(0s);
  EXPECT_EQ(world.b.delivered, Packets(sent.begin() + 5, sent.end()));
  EXPECT_EQ(world.a.device.gauges().queued_bytes, 0u);
  world.a.expect_ledger();
}

TEST(DevicePath, AllQueuesTogetherHaveABound) {
  DeviceOptions limited{.profile = kFirezoneProfile, .mtu = 1280, .queue_without_path = true};
  limited.queued_bytes_max = 5 * packet::kSmallBufferBytes;
  const Now now{.boot = Instant(1000s), .wall = UnixTime(1'700'000'000s)};
  Node node(9, "192.0.2.9:1", limited, now);
  DeviceUpdate update;
  for (std::uint8_t i = 1; i <= 3; ++i) {
    update.peers.push_back(peer_update(crypto::PublicKey{{std::byte{i}}}, {"10.1." + std::to_string(i) + ".0/24"}));
  }
  node.device.apply(now, update, node.output);
  for (std::uint8_t i = 1; i <= 3; ++i) {
    node.send(now, Packets(3, udp_packet("10.0.0.1", "10.1." + std::to_string(i) + ".1", 100)));
  }
  EXPECT_EQ(node.device.gauges().queued_packets, 5u);
  EXPECT_EQ(node.device.gauges().queued_bytes, limited.queued_bytes_max);
  EXPECT_EQ(node.count(DeviceCounter::drop_tun_queue_bytes), 4u);
  node.expect_ledger();
  update.replace_peers = true;
  update.peers.clear();
  node.device.apply(now, update, node.output);
  EXPECT_EQ(node.device.gauges().queued_bytes, 0u);
}

TEST(DevicePath, PacketsNeverMoveThePath) {
  for (const Link link : {Link::none, Link::direct}) {
    World world(firezone(link));
    world.a.device.set_path(world.now, world.b.public_key, world.path_from(world.a, Link::direct), world.a.output);
    world.a.address = Endpoint::parse("198.51.100.7:4444").value();
    world.a.send(world.now, a_to_b());
    world.carry(world.a, world.b);
    const auto endpoint = world.b.device.status().peers.at(0).endpoint;
    EXPECT_EQ(endpoint, link == Link::none ? std::nullopt : Endpoint::parse("192.0.2.1:51820"));
    EXPECT_EQ(world.b.events(DeviceEvent::Kind::endpoint_roamed), 0u);
  }
}

}  // namespace
}  // namespace fireline::wireguard
