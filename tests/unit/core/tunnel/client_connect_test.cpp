// A client and gateways that are plain nodes: what crosses the wire between them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/packet/icmp_error.h"
#include "tests/unit/core/tunnel/tunnel_world.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using enum ClientCounter;
using node::NodeEvent;
using testing::ElementsAre;
using testing::IsEmpty;

const Uuid kNear = uuid(1);  // 10.0.0.0/8
const Uuid kFar = uuid(2);   // 172.16.0.0/12

std::vector<policy::ClientResource> two_sites() {
  return {cidr(1, "10.0.0.0/8", {1}), cidr(2, "172.16.0.0/12", {2})};
}

TEST(ClientConnect, WhatWaitedArrivesOnceAndInOrder) {
  TunnelWorld world;
  world.init(two_sites());
  Station& behind = world.gateway(1).station;
  Packets expected;
  for (std::uint8_t tag = 0; tag < 100; ++tag) {
    expected.push_back(world.to("10.0.0.1", tag));
    world.station->send({expected.back()});
  }
  EXPECT_THAT(world.asked, ElementsAre(kNear));
  world.run(500ms);
  world.grant(kNear, 1);
  // While ICE runs, what follows waits behind it in the connection.
  for (std::uint8_t tag = 100; tag < 110; ++tag) {
    expected.push_back(world.to("10.0.0.1", tag));
    world.station->send({expected.back()});
  }
  ASSERT_TRUE(world.run_until([&] { return behind.delivered.size() == expected.size(); }));
  EXPECT_EQ(behind.delivered, expected);
  EXPECT_EQ(world.site_status(1), Reachability::online);
  EXPECT_EQ(world.site_status(2), Reachability::unknown);
}

// With helpers works overlap all the time.
TEST(ClientConnect, WhatWaitedGoesBeforeLaterPacketsAlsoWhileWorksOverlap) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  Station& behind = world.gateway(1).station;
  world.run(200ms);
  behind.delivered.clear();
  world.station->send({world.to("172.16.0.1", 1)});
  const auto plan = [&](const Packet& packet) {
    auto work = world.client->make_work();
    packet::TunBatch batch = wireguard::Node::tun_batch(world.station->input, {packet});
    world.client->plan(world.now(), batch, *work);
    return work;
  };
  const auto first = plan(world.to("10.0.0.1", 2));
  world.grant(kFar, 1);
  const auto second = plan(world.to("172.16.0.1", 3));
  world.station->call([&](packet::Output& output) {
    for (packet::Work* work : {first.get(), second.get()}) world.station->aead->seal(work->jobs);
    for (packet::Work* work : {first.get(), second.get()}) world.client->commit(world.now(), *work, output);
  });
  ASSERT_TRUE(world.run_until([&] { return behind.delivered.size() == 3; }));
  EXPECT_EQ(behind.delivered, (Packets{world.to("10.0.0.1", 2), world.to("172.16.0.1", 1), world.to("172.16.0.1", 3)}));
}

TEST(ClientConnect, ASecondResourceOfTheSameGatewayNeedsNoSecondConnection) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  world.connect(kFar, "172.16.0.1", 1);
  EXPECT_EQ(world.client->node().connection_count(), 1u);
  EXPECT_EQ(world.client->node().counters().get(node::NodeCounter::reused), 1u);
  Station& behind = world.gateway(1).station;
  world.station->send({world.to("172.16.0.1"), world.to("10.0.0.1"), world.to(gateway_ip4(1))});
  ASSERT_TRUE(world.run_until([&] { return behind.delivered.size() == 3; }));
  EXPECT_EQ(behind.delivered, (Packets{world.to("172.16.0.1"), world.to("10.0.0.1"), world.to(gateway_ip4(1))}));
}

TEST(ClientConnect, EachResourceGoesToItsGateway) {
  TunnelWorld world;
  world.init({cidr(1, "10.0.0.0/8", {1}), cidr(2, "10.1.0.0/16", {2})});
  world.connect(kNear, "10.0.0.1", 1);
  world.station->send({world.to("10.1.0.1")});
  EXPECT_THAT(world.asked, ElementsAre(kNear, kFar))
      << "the longer prefix has no gateway: the shorter one's must not get it";
  world.run(1s);
  EXPECT_THAT(world.gateway(1).station.delivered, IsEmpty());
  world.connect(kFar, "10.1.0.2", 2);
  world.run(200ms);
  world.gateway(2).station.delivered.clear();
  world.station->send({world.to("10.0.0.1"), world.to("10.1.0.1")});
  ASSERT_TRUE(world.run_until([&] {
    return world.gateway(1).station.delivered.size() == 1 && world.gateway(2).station.delivered.size() == 1;
  }));
  EXPECT_EQ(world.gateway(1).station.delivered, Packets{world.to("10.0.0.1")});
  EXPECT_EQ(world.gateway(2).station.delivered, Packets{world.to("10.1.0.1")});
}

TEST(ClientConnect, WhichSourcesAGatewayMayUse) {
  TunnelWorld world;
  world.init({cidr(1, "10.0.0.0/8", {1}), cidr(2, "10.1.0.0/16", {2}), cidr(3, "10.0.0.0/8", {1})});
  world.connect(uuid(3), "10.0.0.1", 1);  // of equal networks the greatest id's
  world.connect(kFar, "10.1.0.1", 2);
  const struct {
    const char* rule;
    std::uint8_t gateway;
    std::string source;
    bool passes;
  } kRows[] = {
      {"its own address", 1, gateway_ip4(1), true},
      {"its own address in IPv6", 1, gateway_ip6(1), true},
      {"its resource", 1, "10.2.0.1", true},
      {"outside of its resource, right behind the gateway that has it", 2, "10.2.0.1", false},
      {"its resource, where another gateway has a longer prefix", 1, "10.1.0.1", true},
      {"another gateway's address", 1, gateway_ip4(2), false},
      {"inside of its resource", 2, "10.1.0.1", true},
      {"anything else", 1, "192.0.2.1", false},
      {"the client's own address", 1, kOwn4, false},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    world.station->delivered.clear();
    const std::uint64_t dropped = world.count(drop_inner_source);
    world.gateway(row.gateway).station.send({world.from(row.source)});
    world.run(200ms);
    EXPECT_EQ(world.station->delivered, row.passes ? Packets{world.from(row.source)} : Packets{});
    EXPECT_EQ(world.count(drop_inner_source) - dropped, row.passes ? 0u : 1u);
  }
}

TEST(ClientConnect, WhatIsWrongWithADecryptedPacket) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Packet packet = world.from("10.0.0.1");
    packet[at] = std::byte{value};
    return packet;
  };
  const Packet status = [] {
    Packet packet(48 + 10);
    packet[0] = std::byte{0x60};
    packet[5] = std::byte{18};
    packet[6] = std::byte{0xFF};
    packet[40] = std::byte{1};
    return packet;
  }();
  const struct {
    const char* rule;
    Packet packet;
    ClientCounter counter;
  } kRows[] = {
      {"a fragment", with(6, 0x20), drop_inner_fragment},
      {"a UDP length that is wrong", with(25, 9), drop_inner_bad_packet},
      {"ICMPv6 in IPv4", with(9, 58), drop_inner_bad_packet},
      {"the control protocol never reaches the TUN", status, drop_inner_control},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    const std::uint64_t before = world.count(row.counter);
    PlainGateway& gateway = world.gateway(1);
    gateway.station.call([&](packet::Output& output) {
      gateway.node->send_packet(world.now(), flow(kNear, 1).gateway_key, row.packet, output);
      gateway.node->send_packet(world.now(), crypto::public_key(crypto::seeded_key(1)), row.packet, output);
    });
    world.run(200ms);
    EXPECT_EQ(world.count(row.counter), before + 1) << name_of(row.counter);
    EXPECT_THAT(world.station->delivered, IsEmpty());
  }
}

TEST(ClientConnect, AGatewayThatSaysGoodbyeIsForgottenAtOnce) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  world.asked.clear();
  PlainGateway& gateway = world.gateway(1);
  gateway.station.call([&](packet::Output& output) { gateway.node->close_all(world.now(), output); });
  ASSERT_TRUE(world.run_until([&] { return !world.gateway_of(kNear); }, 1s));
  EXPECT_EQ(world.site_status(1), Reachability::unknown);
  EXPECT_EQ(world.reports.back().kind, NodeEvent::Kind::closed);
  world.station->send({world.to("10.0.0.1")});
  EXPECT_THAT(world.asked, ElementsAre(kNear)) << "the next packet asks anew";
  world.grant(kNear, 2);
  EXPECT_TRUE(world.run_until([&] { return !world.gateway(2).station.delivered.empty(); })) << "another one serves";
  EXPECT_EQ(world.site_status(1), Reachability::online);
}

TEST(ClientConnect, AGatewayThatDiesIsForgottenWithinTwentySeconds) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  world.gateway(1).station.stop();
  std::uint8_t tag = 0;
  const bool forgotten = world.run_until(
      [&] {
        if (world.queue.now().time_since_epoch() % 100ms == 0ms) world.station->send({world.to("10.0.0.1", ++tag)});
        return !world.gateway_of(kNear);
      },
      20s);
  EXPECT_TRUE(forgotten);
  EXPECT_EQ(world.site_status(1), Reachability::unknown);
  EXPECT_EQ(world.reports.back().kind, NodeEvent::Kind::failed);
}

// Long before its connection fails the portal is asked, for what is used alone.
TEST(ClientConnect, AGatewayThatFallsSilentIsAskedForAnew) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  world.connect(kFar, "172.16.0.1", 1);
  world.run(5s);
  world.asked.clear();
  std::uint8_t tag = 0;
  // A packet every 100 ms.
  const auto send_for = [&](Duration time) {
    for (const Instant end = world.queue.now() + time; world.queue.now() < end;) {
      world.station->send({world.to("10.0.0.1", ++tag)});
      world.run(100ms);
    }
  };
  send_for(10s);
  EXPECT_THAT(world.asked, IsEmpty()) << "it answers checks: data need no answer";
  world.gateway(1).station.stop();
  send_for(3s);
  EXPECT_THAT(world.asked, ElementsAre(kNear));
  EXPECT_EQ(world.gateway_of(kNear), gateway_id(1)) << "packets keep going there";
  send_for(4s);
  EXPECT_THAT(world.asked, ElementsAre(kNear, kNear, kNear)) << "every two seconds";
  EXPECT_EQ(world.count(intents_silent), 3u);
  world.grant(kNear, 2);
  EXPECT_EQ(world.gateway_of(kNear), gateway_id(2));
  send_for(2s);
  EXPECT_THAT(world.gateway(2).station.delivered, testing::Not(IsEmpty()));
  EXPECT_EQ(world.gateway_of(kFar), gateway_id(1)) << "nobody uses it";
}

TEST(ClientConnect, TheLastResourceOfAGatewayGoesWithAGoodbye) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  world.connect(kFar, "172.16.0.1", 1);
  world.handle(portal::ResourceDeleted{kNear});
  world.run(1s);
  EXPECT_EQ(world.gateway(1).node->connection_count(), 1u) << "another resource is left";
  EXPECT_EQ(world.site_status(2), Reachability::unknown) << "the portal said it is of site 1";
  world.station->send({world.to("10.0.0.1")});
  EXPECT_EQ(world.count(drop_tun_no_resource), 1u);
  world.handle(portal::ResourceDeleted{kFar});
  EXPECT_TRUE(world.run_until([&] { return world.gateway(1).node->connection_count() == 0; }, 1s));
}

TEST(ClientConnect, OneOfTwoGatewaysOfASiteIsEnough) {
  TunnelWorld world;
  world.init({cidr(1, "10.0.0.0/8", {1}), cidr(2, "172.16.0.0/12", {1})});
  world.connect(kNear, "10.0.0.1", 1);
  world.connect(kFar, "172.16.0.1", 2);
  PlainGateway& gateway = world.gateway(1);
  gateway.station.call([&](packet::Output& output) { gateway.node->close_all(world.now(), output); });
  world.run(1s);
  EXPECT_EQ(world.gateway_of(kNear), std::nullopt);
  EXPECT_EQ(world.site_status(1), Reachability::online);
}

TEST(ClientConnect, OfflineWordOfThePortalYieldsToAConnection) {
  TunnelWorld world;
  world.init({cidr(1, "10.0.0.0/8", {1}), cidr(2, "172.16.0.0/12", {1})});
  world.connect(kNear, "10.0.0.1", 1);
  world.station->send({world.to("172.16.0.1")});
  world.handle(failure(kFar, portal::FlowFailure::offline));
  EXPECT_EQ(world.site_status(1), Reachability::offline);
  world.connect(kFar, "172.16.0.2", 1);
  EXPECT_EQ(world.site_status(1), Reachability::online);
}

TEST(ClientConnect, TwoResourcesWithOneNetworkKeepTheConnectedOne) {
  TunnelWorld world;
  world.init({cidr(1, "10.0.0.0/8", {1})});
  world.connect(kNear, "10.0.0.1", 1);
  world.handle(portal::ResourceCreatedOrUpdated{cidr(9, "10.0.0.0/8", {2})});
  world.asked.clear();
  world.station->send({world.to("10.0.0.1", 1)});
  EXPECT_THAT(world.asked, IsEmpty()) << "although the other id is greater";
  EXPECT_TRUE(world.run_until([&] { return world.gateway(1).station.delivered.size() == 1; }));
  world.handle(portal::ResourceDeleted{kNear});
  world.connect(uuid(9), "10.0.0.1", 2, 2);
  EXPECT_EQ(world.gateway_of(uuid(9)), gateway_id(2));
}

// Whether a lost grant is asked for again: tunnel specification 2.6.
TEST(ClientConnect, AdministrativelyProhibited) {
  struct Row {
    const char* rule;
    bool enabled;
    std::string refused;  // destination of the packet that the gateway refuses
    std::vector<Uuid> asked;
    std::string source = "10.0.0.1";  // of the ICMP error
    packet::IcmpReason reason = packet::IcmpReason::prohibited;
  };
  const Row kRows[] = {
      {"asks again", true, "10.0.0.1", {kNear}},
      {"switched off: does not", false, "10.0.0.1", {}},
      {"for a resource of another gateway: does not", true, "172.16.0.1", {}},
      {"for nobody's address: does not", true, "192.0.2.1", {}},
      {"for a tunnel address: does not", true, gateway_ip4(1), {}, gateway_ip4(1)},
      {"another error: does not", true, "10.0.0.1", {}, "10.0.0.1", packet::IcmpReason::network},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    TunnelWorld world({.ask_when_prohibited = row.enabled});
    world.init(two_sites());
    world.connect(kNear, "10.0.0.1", 1);
    world.connect(kFar, "172.16.0.1", 2, 2);
    world.run(2s);  // as long as no resource is asked for twice
    world.asked.clear();
    Packet error(packet::kIcmpErrorBytes);
    error.resize(*packet::build_icmp_error(row.reason, 0, ip(row.source), world.to(row.refused), error));
    world.gateway(1).station.send({error});
    world.run(100ms);
    world.gateway(1).station.send({error});
    ASSERT_TRUE(world.run_until([&] { return world.station->delivered.size() == 2; })) << "the application hears of it";
    EXPECT_EQ(world.asked, row.asked) << "once in two seconds";
    EXPECT_EQ(world.count(inner_prohibited), row.reason == packet::IcmpReason::prohibited ? 2u : 0u);
    EXPECT_EQ(world.gateway_of(kNear), gateway_id(1)) << "packets keep going there";
    if (row.asked.empty()) continue;
    world.grant(kNear, 2);
    EXPECT_EQ(world.gateway_of(kNear), gateway_id(2)) << "another gateway may have it now";
    EXPECT_TRUE(world.run_until([&] { return world.gateway(1).node->connection_count() == 0; }, 1s))
        << "the first one has nothing left: a goodbye";
    EXPECT_EQ(world.count(flows_moved), 1u);
  }
}

// The portal grants what the gateway refuses all the same: a filter, mostly.
TEST(ClientConnect, WhatStaysProhibitedIsAskedForLessAndLess) {
  TunnelWorld world({.ask_when_prohibited = true});
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  world.run(10s);
  world.asked.clear();
  Packet error(packet::kIcmpErrorBytes);
  error.resize(
      *packet::build_icmp_error(packet::IcmpReason::prohibited, 0, ip("10.0.0.1"), world.to("10.0.0.1"), error));
  for (int i = 0; i < 1200; ++i) {
    const std::size_t before = world.asked.size();
    world.gateway(1).station.send({error});
    world.run(100ms);
    if (world.asked.size() > before) world.grant(kNear, 1);
  }
  EXPECT_EQ(world.asked.size(), 5u) << "in two minutes: after 0, 4, 12, 28 and 60 s";
}

TEST(ClientConnect, AResetKeepsWhatWaitsAndConnectsAnew) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  world.station->send({world.to("172.16.0.1", 7)});
  world.asked.clear();
  world.station->call([&](packet::Output& output) { world.client->reset(world.now(), crypto::seeded_key(1), output); });
  EXPECT_EQ(world.site_status(1), Reachability::unknown);
  EXPECT_EQ(world.gateway_of(kNear), std::nullopt);
  world.init(two_sites());
  world.run(2s);
  world.station->send({world.to("172.16.0.1", 8)});
  EXPECT_THAT(world.asked, ElementsAre(kFar));
  world.grant(kFar, 1);
  Station& behind = world.gateway(1).station;
  ASSERT_TRUE(world.run_until([&] { return behind.delivered.size() == 2; }, 15s));
  EXPECT_EQ(behind.delivered, (Packets{world.to("172.16.0.1", 7), world.to("172.16.0.1", 8)}));
}

TEST(ClientConnect, ClosingSaysGoodbyeToAll) {
  TunnelWorld world;
  world.init(two_sites());
  world.connect(kNear, "10.0.0.1", 1);
  world.connect(kFar, "172.16.0.1", 2, 2);
  world.station->call([&](packet::Output& output) { world.client->close_all(world.now(), output); });
  EXPECT_TRUE(world.run_until(
      [&] { return world.gateway(1).node->connection_count() == 0 && world.gateway(2).node->connection_count() == 0; },
      1s));
  EXPECT_THAT(world.client->status().gateways, IsEmpty());
}

TEST(ClientConnect, TheInternetResource) {
  TunnelWorld world({.internet_enabled = true});
  world.init({internet(9), cidr(1, "10.0.0.0/8", {1})});
  world.connect(uuid(9), "192.0.2.1", 1);
  Station& behind = world.gateway(1).station;
  world.station->send({world.to("2001:db8::1"), world.to("10.0.0.1"), world.to("198.18.0.1")});
  ASSERT_TRUE(world.run_until([&] { return behind.delivered.size() == 2; }));
  EXPECT_EQ(behind.delivered, (Packets{world.to("2001:db8::1"), world.to("198.18.0.1")}));
  EXPECT_EQ(world.asked.back(), kNear) << "a network is never the Internet's";
  behind.send({world.from("198.18.0.1"), world.from("2001:db8::1")});
  EXPECT_TRUE(world.run_until([&] { return world.station->delivered.size() == 2; }));
}

TEST(ClientConnect, TheLastRelayGone) {
  TunnelWorld world;
  world.init(two_sites());
  world.handle(portal::RelaysPresence{.disconnected_ids = {"relay"}, .connected = {}});
  world.run(1s);
  EXPECT_EQ(world.relays_wanted, 1u);
}

}  // namespace
}  // namespace fireline::tunnel
