// A path that changes while works are between plan and commit: nothing is split, nothing overtakes.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/wireguard/constants.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

// Several works of one node in flight.
struct Flight {
  explicit Flight(Link link) : world(options_of(link)) { world.connect(); }

  static World::Options options_of(Link link) {
    World::Options options;
    options.profile = kFirezoneProfile;
    options.link = link;
    options.queue_without_path = true;
    return options;
  }
  void plan(std::size_t packets) {
    Packets batch_packets;
    for (std::size_t i = 0; i < packets; ++i) batch_packets.push_back(a_to_b(500, static_cast<std::uint8_t>(sent++)));
    packet::TunBatch batch = Node::tun_batch(world.a.input, batch_packets);
    works.push_back(world.a.device.make_work());
    world.a.device.plan(world.now, batch, *works.back());
  }
  void commit() {
    world.a.run(*works.front());
    world.a.device.commit(world.now, *works.front(), world.a.output);
    world.a.collect();
    works.erase(works.begin());
  }
  // Everything arrives in the order in which it left, and is what was sent.
  void expect_order() {
    for (std::size_t i = 1; i < world.a.sent.size(); ++i) {
      EXPECT_LT(load_le64(world.a.sent[i - 1].message(), 8), load_le64(world.a.sent[i].message(), 8)) << i;
    }
    world.b.delivered.clear();
    world.settle();
    ASSERT_EQ(world.b.delivered.size(), sent);
    for (std::size_t i = 0; i < sent; ++i) {
      EXPECT_EQ(world.b.delivered[i], a_to_b(500, static_cast<std::uint8_t>(i))) << i;
    }
    world.a.expect_ledger();
    EXPECT_EQ(world.a.large.out() + world.a.small.out(), 0u);
  }

  World world;
  std::vector<std::unique_ptr<packet::Work>> works;
  std::size_t sent = 0;
};

TEST(DevicePathChange, TrainsKeepThePathOnWhichTheyWerePlanned) {
  for (const auto& [before, after] : {std::pair(Link::relayed, Link::direct), std::pair(Link::direct, Link::relayed)}) {
    Flight flight(before);
    flight.plan(10);
    flight.plan(10);
    flight.world.set_path(flight.world.a, after);
    flight.plan(10);
    EXPECT_EQ(flight.world.a.sent.size(), 0u) << "a change sends nothing";
    for (int i = 0; i < 3; ++i) flight.commit();
    ASSERT_EQ(flight.world.a.sent.size(), 30u);
    for (std::size_t i = 0; i < 30; ++i) {
      const Datagram& datagram = flight.world.a.sent[i];
      const Link link = i < 20 ? before : after;
      EXPECT_EQ(datagram.destination, flight.world.path_from(flight.world.a, link).destination) << i;
      EXPECT_EQ(datagram.train, flight.world.a.sent[i / 10 * 10].train) << "ten to a train";
    }
    flight.world.set_path(flight.world.b, after);
    flight.expect_order();
  }
}

TEST(DevicePathChange, PacketsThatWaitedFollowTheTrainsOfTheOldPath) {
  for (const Link after : {Link::direct, Link::relayed}) {
    Flight flight(Link::direct);
    flight.plan(5);
    flight.world.set_path(flight.world.a, Link::none);
    flight.plan(5);  // waits
    EXPECT_EQ(flight.world.a.device.gauges().queued_packets, 5u);
    flight.world.set_path(flight.world.a, after);
    EXPECT_EQ(flight.world.a.device.gauges().queued_packets, 5u) << "behind what is not committed";
    flight.plan(5);  // behind those that wait
    flight.commit();
    EXPECT_EQ(flight.world.a.sent.size(), 15u) << "with the commit of the last older train";
    flight.commit();
    flight.commit();
    flight.expect_order();
  }
}

TEST(DevicePathChange, AChangeOfAddressFamilyKeepsTrainsWhole) {
  Flight flight(Link::direct);
  flight.plan(8);
  const PeerPath v6{.destination = Endpoint::parse("[2001:db8::2]:51820").value()};
  flight.world.a.device.set_path(flight.world.now, flight.world.b.public_key, v6, flight.world.a.output);
  flight.plan(8);
  flight.commit();
  flight.commit();
  ASSERT_EQ(flight.world.a.sent.size(), 16u);
  EXPECT_EQ(flight.world.a.sent[7].train, flight.world.a.sent[0].train);
  EXPECT_TRUE(flight.world.a.sent[7].destination.address.is_v4());
  EXPECT_EQ(flight.world.a.sent[15].train, flight.world.a.sent[8].train);
  EXPECT_EQ(flight.world.a.sent[15].destination, v6.destination);
}

TEST(DevicePathChange, TheSamePathAgainDoesNothing) {
  Flight flight(Link::relayed);
  flight.plan(3);
  flight.world.set_path(flight.world.a, Link::relayed);
  EXPECT_EQ(flight.world.a.sent.size(), 0u);
  flight.commit();
  flight.expect_order();
}

TEST(DevicePathChange, AnUnansweredInitiationIsRepeatedOnTheNewPath) {
  World world(Flight::options_of(Link::relayed));
  world.a.send(world.now, a_to_b());
  ASSERT_EQ(world.a.sent.size(), 1u);
  world.lose();  // the relay is dead
  world.set_path(world.a, Link::direct);
  world.set_path(world.b, Link::direct);
  world.advance(6s);
  EXPECT_EQ(world.b.delivered, Packets{a_to_b()});
}

TEST(DevicePathChange, AnInitiationThatDiedWithItsPathStopsNoOther) {
  for (const bool asked : {true, false}) {
    World world(Flight::options_of(Link::direct));
    world.connect();
    world.advance(119s);
    world.advance(1s + kRekeyJitterMax, false);
    ASSERT_EQ(world.a.sent_of_type(1), 1u) << "the session's age asks for another";
    world.lose();
    world.set_path(world.a, Link::none);
    world.set_path(world.a, Link::direct);
    if (asked) (void)world.a.device.initiate(world.now, world.b.public_key);
    world.advance(asked ? 6s : 70s);
    EXPECT_EQ(world.a.count(DeviceCounter::handshakes_completed), 2u) << asked;
  }
}

TEST(DevicePathChange, APathOfAnUnknownPeerIsIgnored) {
  World world(Flight::options_of(Link::none));
  world.a.device.set_path(world.now, crypto::PublicKey{{std::byte{9}}}, world.path_from(world.a, Link::direct),
                          world.a.output);
  world.a.collect();
  EXPECT_EQ(world.a.sent.size(), 0u);
}

}  // namespace
}  // namespace fireline::wireguard
