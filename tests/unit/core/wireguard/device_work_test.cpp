// Plan and commit: works in flight, jobs on several executors in any order, fairness, and the ledger under random
// traffic.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/wireguard/constants.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

void shuffle(std::vector<std::size_t>& order, SeededRandom& random) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.u32() % i]);
}

// Runs the jobs of several works on `executors` ciphers, each job alone, in an order drawn from `random`.
void run_jobs(std::vector<std::unique_ptr<packet::Work>>& works, std::size_t executors, SeededRandom& random) {
  std::vector<std::unique_ptr<crypto::Aead>> ciphers;
  for (std::size_t i = 0; i < executors; ++i) ciphers.push_back(crypto::make_aead(crypto::AeadBackend::libsodium));
  std::vector<std::pair<packet::Work*, std::size_t>> jobs;
  for (const auto& work : works) {
    for (std::size_t i = 0; i < work->jobs.size(); ++i) jobs.emplace_back(work.get(), i);
  }
  std::vector<std::size_t> order(jobs.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (executors > 1) shuffle(order, random);
  for (const std::size_t i : order) {
    auto [work, job] = jobs[i];
    crypto::Aead& cipher = *ciphers[random.u32() % executors];
    const std::span one(&work->jobs[job], 1);
    work->kind == packet::Work::Kind::seal ? cipher.seal(one) : cipher.open(one);
  }
}

// What a and b put on wire and TUN in a fixed scenario with five works in flight each way.
std::pair<std::vector<Packet>, Packets> transcript(std::size_t executors, std::uint64_t shuffle_seed) {
  World world({.tun_offloads = {.tcp4 = true, .tcp6 = true, .udp = true}});
  world.connect();
  SeededRandom traffic(8);
  SeededRandom order(shuffle_seed);
  std::pair<std::vector<Packet>, Packets> result;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::unique_ptr<packet::Work>> works;
    for (int i = 0; i < 5; ++i) {
      Packets packets;
      for (std::uint32_t n = 1 + traffic.u32() % 20; n > 0; --n) packets.push_back(a_to_b(traffic.u32() % 1300));
      packet::TunBatch batch = Node::tun_batch(world.a.input, packets);
      works.push_back(world.a.device.make_work());
      world.a.device.plan(world.now, batch, *works.back());
    }
    run_jobs(works, executors, order);
    for (const auto& work : works) world.a.device.commit(world.now, *work, world.a.output);
    world.a.collect();
    const auto datagrams = std::exchange(world.a.sent, {});
    for (const Datagram& datagram : datagrams) result.first.push_back(datagram.bytes);
    works.clear();
    for (std::size_t at = 0; at < datagrams.size(); at += 11) {
      packet::UdpBatch batch =
          world.b.udp_batch({datagrams.begin() + static_cast<std::ptrdiff_t>(at),
                             datagrams.begin() + static_cast<std::ptrdiff_t>(std::min(datagrams.size(), at + 11))});
      works.push_back(world.b.device.make_work());
      world.b.device.plan(world.now, batch, *works.back());
    }
    run_jobs(works, executors, order);
    for (const auto& work : works) world.b.device.commit(world.now, *work, world.b.output);
    world.b.collect();
  }
  result.second = world.b.delivered;
  world.a.expect_ledger();
  world.b.expect_ledger();
  return result;
}

TEST(DeviceWork, OneOrThreeExecutorsInAnyOrderGiveTheSameBytesInTheSameOrder) {
  const auto inline_result = transcript(1, 0);
  EXPECT_GT(inline_result.second.size(), 100u);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) EXPECT_EQ(transcript(3, seed), inline_result) << seed;
}

// Both copies look acceptable when they are planned; only the commit knows that the other one was there.
TEST(DeviceWork, OfCopiesInFlightOnePassesWhicheverIsOpenedFirst) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    World world;
    world.connect();
    world.a.delivered.clear();
    Packets packets;
    for (std::uint8_t i = 0; i < 40; ++i) packets.push_back(b_to_a(100, i));
    world.b.send(world.now, packets);
    const auto datagrams = std::exchange(world.b.sent, {});
    std::vector<std::unique_ptr<packet::Work>> works;
    for (int copy = 0; copy < 3; ++copy) {
      packet::UdpBatch batch = world.a.udp_batch(datagrams);
      works.push_back(world.a.device.make_work());
      world.a.device.plan(world.now, batch, *works.back());
      ASSERT_EQ(works.back()->jobs.size(), packets.size());
    }
    SeededRandom order(seed);
    run_jobs(works, 3, order);
    for (const auto& work : works) {
      EXPECT_TRUE(std::ranges::all_of(work->jobs, &crypto::AeadJob::authentic));
      world.a.device.commit(world.now, *work, world.a.output);
    }
    world.a.collect();
    EXPECT_EQ(world.a.delivered, packets);
    EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_replayed), 2 * packets.size());
    world.a.expect_ledger();
  }
}

TEST(DeviceWork, RemovingThePeerInFlightDropsTheResults) {
  World world;
  world.connect();
  world.b.send(world.now, Packets(3, b_to_a()));
  auto seal = world.a.device.make_work();
  auto open = world.a.device.make_work();
  packet::TunBatch tun = Node::tun_batch(world.a.input, Packets(4, a_to_b()));
  packet::UdpBatch udp = world.a.udp_batch(world.b.sent);
  world.a.device.plan(world.now, tun, *seal);
  world.a.device.plan(world.now, udp, *open);
  DeviceUpdate update;
  update.peers.push_back(peer_update(world.b.public_key));
  update.peers.front().remove = true;
  world.a.device.apply(world.now, update, world.a.output);
  world.a.run(*seal);  // the keys are still there
  world.a.run(*open);
  EXPECT_TRUE(std::ranges::all_of(open->jobs, &crypto::AeadJob::authentic));
  world.a.device.commit(world.now, *seal, world.a.output);
  world.a.device.commit(world.now, *open, world.a.output);
  world.a.collect();
  EXPECT_TRUE(world.a.sent.empty());
  EXPECT_TRUE(world.a.delivered.empty());
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_session_gone), 4u);
  EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_session_gone), 3u);
  EXPECT_EQ(world.a.large.out() + world.a.small.out(), 0u);
  world.a.expect_ledger();
}

TEST(DeviceWork, GoingDownInFlightDropsTheResults) {
  World world;
  world.connect();
  auto seal = world.a.device.make_work();
  packet::TunBatch tun = Node::tun_batch(world.a.input, Packets(4, a_to_b()));
  world.a.device.plan(world.now, tun, *seal);
  world.a.device.set_up(world.now, false, world.a.output);
  world.a.run(*seal);
  world.a.device.commit(world.now, *seal, world.a.output);
  EXPECT_TRUE(world.a.output.udp4.empty());
  EXPECT_EQ(world.a.count(DeviceCounter::drop_tun_session_gone), 4u);
  world.a.expect_ledger();
}

// A queue may not overtake trains that were planned earlier and are still with the cipher.
TEST(DeviceWork, TheFlushWaitsForTheCommit) {
  World world;
  world.connect();
  world.b.send(world.now, b_to_a());
  world.settle();
  world.advance(kRejectAfterTime - 1ms, false);
  world.lose();
  auto first = world.a.device.make_work();
  auto second = world.a.device.make_work();
  packet::TunBatch tun = Node::tun_batch(world.a.input, {a_to_b(1), a_to_b(2)});
  world.a.device.plan(world.now, tun, *first);
  world.now.boot += 1ms;
  tun = Node::tun_batch(world.a.input, {a_to_b(3)});
  world.a.device.plan(world.now, tun, *second);
  world.a.device.step_handshake(world.now, world.a.output);
  world.a.collect();
  ASSERT_EQ(world.a.sent_of_type(1), 1u);
  world.carry(world.a, world.b);
  world.carry(world.b, world.a);  // the response; the handshake is complete
  EXPECT_EQ(world.a.count(DeviceCounter::handshakes_completed), 2u);
  EXPECT_EQ(world.a.sent_of_type(4), 0u) << "the queue waits";
  auto third = world.a.device.make_work();
  tun = Node::tun_batch(world.a.input, {a_to_b(4)});
  world.a.device.plan(world.now, tun, *third);  // has a session, but others are before it
  EXPECT_TRUE(third->jobs.empty());
  EXPECT_EQ(world.a.device.gauges().queued_packets, 2u);
  world.a.run(*first);
  for (packet::Work* work : {first.get(), second.get(), third.get()}) {
    world.a.device.commit(world.now, *work, world.a.output);
  }
  world.a.collect();
  world.b.delivered.clear();
  world.b.receive(world.now, std::exchange(world.a.sent, {}));
  EXPECT_EQ(world.b.delivered, (Packets{a_to_b(3), a_to_b(4)})) << "the first two came too late for b";
  EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_expired_session), 2u);
  world.a.expect_ledger();
}

TEST(DeviceWork, RoundsOfSixtyFourPacketsPerPeer) {
  World world({.mtu = 600});
  world.connect();
  Node third(3, "192.0.2.3:51820", {.mtu = 600}, world.now);
  DeviceUpdate update;
  update.peers.push_back(peer_update(third.public_key, {"10.0.0.3/32"}));
  update.peers.front().endpoint = third.address;
  world.a.device.apply(world.now, update, world.a.output);
  update.peers[0] = peer_update(world.a.public_key, {"10.0.0.1/32"});
  update.peers[0].endpoint = world.a.address;
  third.device.apply(world.now, update, third.output);
  world.a.send(world.now, udp_packet("10.0.0.1", "10.0.0.3", 10));
  world.carry(world.a, third);
  world.carry(third, world.a);
  world.carry(world.a, third);
  ASSERT_EQ(third.delivered.size(), 1u);
  // A long super-packet for b, then one small packet for the third.
  packet::Offload offload;
  const Packet whole = tcp_super_packet("10.0.0.1", "10.0.0.2", 60000, 500, offload);
  packet::TunBatch batch = Node::tun_batch(world.a.input, {whole, udp_packet("10.0.0.1", "10.0.0.3", 10)});
  batch.packets[0].offload = offload;
  world.a.device.plan(world.now, batch, *world.a.work);
  world.a.run(*world.a.work);
  world.a.device.commit(world.now, *world.a.work, world.a.output);
  world.a.collect();
  ASSERT_EQ(world.a.sent.size(), 121u);
  const auto small = std::ranges::find(world.a.sent, third.address, &Datagram::destination);
  EXPECT_EQ(small - world.a.sent.begin(), 64) << "behind one round, not behind 120 segments";
  world.b.delivered.clear();
  const auto datagrams = std::exchange(world.a.sent, {});
  std::vector<Datagram> for_b;
  std::ranges::copy_if(datagrams, std::back_inserter(for_b),
                       [&](const Datagram& datagram) { return datagram.destination == world.b.address; });
  world.b.receive(world.now, for_b);
  EXPECT_EQ(world.b.delivered.size(), 120u);
}

// Random traffic, loss, duplicates, damage, clocks and configuration: nothing is ever lost from the books.
TEST(DeviceWork, TheLedgerBalancesUnderRandomTraffic) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    World::Options options;
    options.profile = seed % 2 == 0 ? kPaperProfile : kFirezoneProfile;
    World world(options);
    SeededRandom random(seed);
    for (int step = 0; step < 600; ++step) {
      Node& node = random.u32() % 2 == 0 ? world.a : world.b;
      Node& other = &node == &world.a ? world.b : world.a;
      const std::string source = &node == &world.a ? "10.0.0.1" : "10.0.0.2";
      const std::string destination = &node == &world.a ? "10.0.0.2" : "10.0.0.1";
      switch (random.u32() % 12) {
        case 0: {
          packet::Offload offload;
          node.send(world.now, tcp_super_packet(source, destination, 1 + random.u32() % 60000, 1300, offload), offload);
          break;
        }
        case 1:
          node.send(world.now, {udp_packet(source, "10.0.0.77", 10), udp_packet("9.9.9.9", destination, 10),
                                udp_packet(source, destination, 1500), Packet(random.u32() % 60, std::byte{0x41})});
          break;
        case 2:
          world.now.boot += Duration(std::chrono::seconds(random.u32() % 30));
          break;
        case 3:
          node.handle_timeout(world.now);
          break;
        case 4:
          node.sent.clear();
          break;
        case 5: {
          Packet garbage(random.u32() % 200);
          random.fill(garbage);
          if (garbage.size() > 4 && random.u32() % 2 == 0) store_le32(garbage, 0, 1 + random.u32() % 4);
          if (!garbage.empty())
            node.receive(
                world.now,
                {{.bytes = garbage, .ecn = {}, .source = other.address, .destination = node.address, .local = {}}});
          break;
        }
        case 6:
          if (!node.sent.empty()) {
            Datagram& damaged = node.sent[random.u32() % node.sent.size()];
            damaged.bytes[random.u32() % damaged.bytes.size()] ^= std::byte{4};
          }
          break;
        case 7:
          if (!node.sent.empty()) node.sent.push_back(node.sent[random.u32() % node.sent.size()]);
          break;
        case 8:
          if (random.u32() % 8 == 0) {
            node.device.set_up(world.now, false, node.output);
            if (random.u32() % 4 != 0) node.device.set_up(world.now, true, node.output);
          } else {
            node.device.set_up(world.now, true, node.output);
          }
          node.collect();
          break;
        default: {
          Packets packets;
          for (std::uint32_t n = 1 + random.u32() % 8; n > 0; --n) {
            packets.push_back(udp_packet(source, destination, random.u32() % 1392));
          }
          node.send(world.now, packets);
          world.carry(node, other);
          break;
        }
      }
      world.a.expect_ledger();
      world.b.expect_ledger();
      if (testing::Test::HasFailure()) FAIL() << "step " << step;
    }
    EXPECT_GT(world.b.count(DeviceCounter::opened) + world.a.count(DeviceCounter::opened), 100u);
  }
}

}  // namespace
}  // namespace fireline::wireguard
