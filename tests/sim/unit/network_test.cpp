// Links and routes of the simulated network, and a relay in it.
#include "tests/sim/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/stun/attribute.h"
#include "core/turn/relay_set.h"
#include "tests/sim/relay_host.h"

namespace fireline::sim {
namespace {

using namespace std::chrono_literals;

Train train_of(std::size_t count, std::size_t bytes, std::string_view destination = "198.51.100.7:1000") {
  Train train;
  train.destination = *Endpoint::parse(destination);
  for (std::size_t i = 0; i < count; ++i) train.append(std::vector<std::byte>(bytes), i + 1);
  return train;
}

std::vector<Arrival> carry(Link& link, const Train& train) {
  std::vector<Arrival> arrivals;
  link.carry(Instant{1s}, train, arrivals);
  return arrivals;
}

TEST(Link, KeepsATrainWholeUnlessItSplitsTrains) {
  Link whole({}, Dice(1));
  const auto one = carry(whole, train_of(40, 1000));
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].train.count(), 40u);
  EXPECT_EQ(one[0].time, Instant{1s} + 10ms);

  Link split({.keeps_trains = false}, Dice(1));
  const auto many = carry(split, train_of(40, 1000));
  ASSERT_EQ(many.size(), 40u);
  EXPECT_TRUE(std::ranges::all_of(many, [](const Arrival& arrival) { return arrival.train.count() == 1; }));
}

TEST(Link, LosesAboutAsManyAsItSays) {
  struct Row {
    LinkOptions options;
    double least, most;
    LinkDrop counter;
    std::string_view rule;
  };
  const Row rows[] = {
      {{.loss_per_mille = 100}, 0.08, 0.12, LinkDrop::loss, "independent loss"},
      {{.burst_begin_per_mille = 20, .burst_end_per_mille = 200}, 0.06, 0.13, LinkDrop::burst, "a tenth, in bursts"},
      {{.mtu = 1000}, 1, 1, LinkDrop::mtu, "1,000 bytes and their headers do not fit"},
      {{.mtu = 1028}, 0, 0, LinkDrop::mtu, "1,000 bytes and their headers just fit"},
  };
  for (const Row& row : rows) {
    Link link(row.options, Dice(7));
    std::size_t arrived = 0;
    for (int i = 0; i < 10000; ++i) arrived += carry(link, train_of(1, 1000)).size();
    const double lost = 1 - static_cast<double>(arrived) / 10000;
    EXPECT_GE(lost, row.least) << row.rule;
    EXPECT_LE(lost, row.most) << row.rule;
    EXPECT_EQ(link.dropped(row.counter), 10000 - arrived) << row.rule;
  }
}

TEST(Link, KeepsTheOrderUnderJitterAndBreaksItWhenAskedTo) {
  const auto in_order = [](const LinkOptions& options) {
    Link link(options, Dice(3));
    std::vector<Arrival> arrivals;
    for (int i = 0; i < 200; ++i) link.carry(Instant{1s} + i * 1ms, train_of(1, 100), arrivals);
    return std::ranges::is_sorted(arrivals, {}, &Arrival::time);
  };
  EXPECT_TRUE(in_order({.jitter = 50ms}));
  EXPECT_FALSE(in_order({.reorder_per_mille = 100}));
}

TEST(Link, DuplicatesAndCountsThem) {
  Link link({.duplicate_per_mille = 1000}, Dice(1));
  EXPECT_EQ(carry(link, train_of(1, 10)).size(), 2u);
  EXPECT_EQ(link.duplicated(), 1u);
}

TEST(Link, IsSilentWhileItIsDown) {
  Link link({}, Dice(1));
  link.set_up(false);
  EXPECT_TRUE(carry(link, train_of(3, 10)).empty());
  EXPECT_EQ(link.dropped(LinkDrop::down), 3u);
}

struct Sink final : Receiver {
  [[nodiscard]] bool is_open(const Endpoint& destination) const override { return destination.port == port; }
  void receive(const Train& train) override { received.push_back(train); }
  void unreachable(const Endpoint& destination) override { refused.push_back(destination); }

  std::uint16_t port = 52625;
  std::vector<Train> received;
  std::vector<Endpoint> refused;
};

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

// home: a and b behind one NAT; office: c behind a NAT with the same inner addresses; d in the open.
struct World {
  explicit World(bool hairpin = false, Dependence filtering = Dependence::endpoint_independent) {
    NatOptions nat{.filtering = filtering, .ports = PortRule::preserving, .hairpin = hairpin};
    SiteOptions options;
    options.nat4 = nat;
    options.public4 = ip("192.0.2.1");
    home = network.add_site(options);
    options.public4 = ip("192.0.2.2");
    office = network.add_site(options);
    const std::size_t open = network.add_site({});
    for (Sink* sink : {&a, &b, &c, &d}) hosts.push_back(network.add_host(*sink));
    network.attach(hosts[0], home, ip("10.0.0.4"), std::nullopt);
    network.attach(hosts[1], home, ip("10.0.0.5"), std::nullopt);
    network.attach(hosts[2], office, ip("10.0.0.4"), std::nullopt);
    network.attach(hosts[3], open, ip("198.51.100.9"), ip("2001:db8::9"));
  }
  void send(std::size_t from, std::string_view to) {
    Train train = train_of(1, 100, to);
    train.source.port = 52625;
    network.send(hosts[from], std::move(train));
    while (!queue.empty()) queue.run_next();
    EXPECT_TRUE(network.is_balanced());
  }
  [[nodiscard]] std::uint64_t dropped(NetworkDrop why) const { return network.dropped(why); }

  EventQueue queue;
  Network network{queue, Dice(1)};
  std::size_t home, office;
  Sink a, b, c, d;
  std::vector<std::size_t> hosts;
};

TEST(Network, TranslatesOnTheWayOutAndBackOnTheWayIn) {
  World world;
  world.send(0, "198.51.100.9:52625");
  ASSERT_EQ(world.d.received.size(), 1u);
  EXPECT_EQ(world.d.received[0].source, *Endpoint::parse("192.0.2.1:52625"));
  world.send(3, "192.0.2.1:52625");
  ASSERT_EQ(world.a.received.size(), 1u);
  EXPECT_EQ(world.a.received[0].destination, *Endpoint::parse("10.0.0.4:52625"));
}

TEST(Network, NeighboursReachEachOtherWithoutTheNat) {
  World world;
  world.send(0, "10.0.0.5:52625");
  ASSERT_EQ(world.b.received.size(), 1u);
  EXPECT_EQ(world.b.received[0].source, *Endpoint::parse("10.0.0.4:52625"));
}

TEST(Network, HairpinIsTheNatsChoice) {
  for (const bool hairpin : {false, true}) {
    World world(hairpin);
    world.send(1, "198.51.100.9:52625");
    world.send(0, "192.0.2.1:52625");
    EXPECT_EQ(world.b.received.size(), hairpin ? 1u : 0u);
    EXPECT_EQ(world.dropped(NetworkDrop::nat_no_hairpin), hairpin ? 0u : 1u);
  }
}

TEST(Network, EveryDropHasItsName) {
  World world(false, Dependence::address_and_port_dependent);
  world.send(3, "192.0.2.1:52625");
  EXPECT_EQ(world.dropped(NetworkDrop::nat_no_mapping), 1u);
  world.send(0, "203.0.113.1:1");
  EXPECT_EQ(world.dropped(NetworkDrop::no_route), 1u) << "nobody there";
  world.send(3, "192.0.2.1:52625");
  EXPECT_EQ(world.dropped(NetworkDrop::nat_filtered), 1u);
  world.send(0, "10.9.9.9:1");
  EXPECT_EQ(world.dropped(NetworkDrop::no_route), 2u) << "another site's inner address";
  world.send(0, "[2001:db8::9]:52625");
  EXPECT_EQ(world.dropped(NetworkDrop::no_route), 3u) << "no IPv6 here";
  world.network.set_powered(world.hosts[3], false);
  world.send(0, "198.51.100.9:52625");
  EXPECT_EQ(world.dropped(NetworkDrop::host_gone), 1u);
  Train spoofed = train_of(1, 10);
  spoofed.source = *Endpoint::parse("10.0.0.9:1");
  world.network.send(world.hosts[0], spoofed);
  EXPECT_EQ(world.dropped(NetworkDrop::source_gone), 1u);
  EXPECT_TRUE(world.network.is_balanced());
}

TEST(Network, AClosedPortIsToldToTheSenderUnderTheAddressThatItUsed) {
  World world;
  world.send(0, "198.51.100.9:9");
  EXPECT_EQ(world.a.refused, std::vector{*Endpoint::parse("198.51.100.9:9")});
  EXPECT_EQ(world.dropped(NetworkDrop::port_closed), 1u);
}

TEST(Network, AHostThatMovesIsFoundAtItsNewPlaceAlone) {
  World world;
  world.network.attach(world.hosts[3], world.home, ip("10.0.0.6"), std::nullopt);
  world.send(2, "198.51.100.9:52625");
  EXPECT_EQ(world.dropped(NetworkDrop::no_route), 1u);
  world.send(0, "10.0.0.6:52625");
  EXPECT_EQ(world.d.received.size(), 1u);
}

// A TURN client of ours and the real server, through a NAT.
TEST(RelayHost, AnswersAClientBehindANat) {
  World world;
  const std::size_t site = world.network.add_site({});
  RelayHost relay(world.queue, world.network, "r1", site, ip("203.0.113.1"), ip("2001:db8:1::1"), Dice(5));
  Dice dice(6);
  turn::RelaySet set({}, dice);
  struct Client final : Receiver {
    Client(World& world_, turn::RelaySet& set_) : world(world_), set(set_) {}
    [[nodiscard]] bool is_open(const Endpoint&) const override { return true; }
    void receive(const Train& train) override {
      static_cast<void>(set.receive(now_at(world.queue.now()), train.source, train.destination, train.datagram(0)));
      drain();
    }
    void drain() {
      std::array<std::byte, turn::kMaxRequestBytes> out;
      while (const auto transmit = set.poll_transmit(out)) {
        Train train;
        train.source.port = 52625;
        train.destination = transmit->destination;
        train.append(ConstBytes(out).first(transmit->bytes), 0);
        world.network.send(host, std::move(train));
      }
    }
    World& world;
    turn::RelaySet& set;
    std::size_t host = 0;
  } client(world, set);
  client.host = world.network.add_host(client);
  world.network.attach(client.host, world.home, ip("10.0.0.7"), std::nullopt);
  set.update(now_at(world.queue.now()), {}, relay.entries_for("client"));
  client.drain();
  while (!world.queue.empty()) world.queue.run_next();
  ASSERT_NE(set.find("r1"), nullptr);
  EXPECT_EQ(set.find("r1")->state(), turn::AllocationState::allocated);
  EXPECT_EQ(relay.server()->gauges().allocations, 1u);

  relay.kill();
  EXPECT_FALSE(relay.is_open(*Endpoint::parse("203.0.113.1:3478")));
  const auto before = relay.entries_for("client");
  relay.start(false);
  EXPECT_EQ(relay.entries_for("client")[0].password, before[0].password);
  relay.start(true);
  EXPECT_NE(relay.entries_for("client")[0].password, before[0].password);
}

}  // namespace
}  // namespace fireline::sim
