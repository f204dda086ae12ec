// The simulated NATs behave as their kinds say: a table per question.
#include "tests/sim/nat.h"

#include <gtest/gtest.h>

#include <string_view>

namespace fireline::sim {
namespace {

using namespace std::chrono_literals;
using enum Dependence;

const Endpoint kInside = *Endpoint::parse("10.0.0.4:52625");
const Endpoint kOtherInside = *Endpoint::parse("10.0.0.5:52625");
const Endpoint kPeer = *Endpoint::parse("198.51.100.7:1000");
const Endpoint kPeerOtherPort = *Endpoint::parse("198.51.100.7:2000");
const Endpoint kStranger = *Endpoint::parse("203.0.113.50:1000");
const IpAddress kOutside = *IpAddress::parse("192.0.2.1");
constexpr Instant kNow{1000s};

Nat nat(const NatOptions& options) {
  return {options, kOutside, Dice(1)};
}

TEST(Nat, MappingDependsOnAsMuchOfTheDestinationAsItsKindSays) {
  struct Row {
    Dependence mapping;
    bool same_for_other_port;
    bool same_for_other_address;
    std::string_view rule;
  };
  constexpr Row kRows[] = {
      {endpoint_independent, true, true, "one mapping for all destinations"},
      {address_dependent, true, false, "one per destination address"},
      {address_and_port_dependent, false, false, "one per destination"},
  };
  for (const Row& row : kRows) {
    Nat box = nat({.mapping = row.mapping});
    const Endpoint first = *box.outbound(kNow, kInside, kPeer);
    EXPECT_EQ(first.address, kOutside) << row.rule;
    EXPECT_EQ(box.outbound(kNow, kInside, kPeer), first) << row.rule;
    EXPECT_EQ(box.outbound(kNow, kInside, kPeerOtherPort) == first, row.same_for_other_port) << row.rule;
    EXPECT_EQ(box.outbound(kNow, kInside, kStranger) == first, row.same_for_other_address) << row.rule;
    EXPECT_NE(box.outbound(kNow, kOtherInside, kPeer), first) << "a mapping belongs to one inside endpoint";
  }
}

TEST(Nat, FilteringLetsInWhomItsKindAllows) {
  struct Row {
    Dependence filtering;
    bool other_port;
    bool stranger;
    std::string_view rule;
  };
  constexpr Row kRows[] = {
      {endpoint_independent, true, true, "anybody, once there is a mapping"},
      {address_dependent, true, false, "any port of an address that was contacted"},
      {address_and_port_dependent, false, false, "who was contacted, and nobody else"},
  };
  for (const Dependence mapping : {endpoint_independent, address_dependent, address_and_port_dependent}) {
    for (const Row& row : kRows) {
      Nat box = nat({.mapping = mapping, .filtering = row.filtering});
      const Endpoint outside = *box.outbound(kNow, kInside, kPeer);
      const auto passes = [&](const Endpoint& source) {
        return box.inbound(kNow, outside, source).refusal == Nat::Refusal::none;
      };
      EXPECT_EQ(box.inbound(kNow, outside, kPeer).inside, kInside) << row.rule;
      EXPECT_TRUE(passes(kPeer)) << row.rule;
      EXPECT_EQ(passes(kPeerOtherPort), row.other_port) << row.rule;
      EXPECT_EQ(passes(kStranger), row.stranger) << row.rule;
    }
  }
}

TEST(Nat, NothingIsLetInWithoutAMapping) {
  Nat box = nat({.filtering = endpoint_independent});
  EXPECT_EQ(box.inbound(kNow, {kOutside, 52625}, kPeer).refusal, Nat::Refusal::no_mapping);
}

TEST(Nat, PortsArePreservedWhileTheyAreFree) {
  Nat box = nat({.mapping = address_and_port_dependent, .ports = PortRule::preserving});
  EXPECT_EQ(box.outbound(kNow, kInside, kPeer)->port, kInside.port);
  EXPECT_NE(box.outbound(kNow, kInside, kPeerOtherPort)->port, kInside.port) << "taken by the first mapping";
  EXPECT_NE(box.outbound(kNow, kOtherInside, kPeer)->port, kInside.port) << "taken by another host";
}

TEST(Nat, BindingsExpireWithoutOutgoingDatagrams) {
  Nat box = nat({.expiry = 30s});
  const Endpoint outside = *box.outbound(kNow, kInside, kPeer);
  EXPECT_TRUE(box.maps(kNow + 29s, outside, kInside));
  EXPECT_EQ(box.inbound(kNow + 29s, outside, kPeer).refusal, Nat::Refusal::none);
  EXPECT_FALSE(box.maps(kNow + 30s, outside, kInside)) << "what comes in does not refresh here";
  EXPECT_EQ(box.inbound(kNow + 30s, outside, kPeer).refusal, Nat::Refusal::no_mapping);
  EXPECT_NE(box.outbound(kNow + 31s, kInside, kPeer), outside) << "the next one is another mapping";
}

TEST(Nat, AFilterEntryExpiresByItself) {
  Nat box = nat({.expiry = 30s});
  const Endpoint outside = *box.outbound(kNow, kInside, kPeer);
  EXPECT_EQ(box.outbound(kNow + 20s, kInside, kStranger), outside);
  EXPECT_EQ(box.inbound(kNow + 35s, outside, kStranger).refusal, Nat::Refusal::none);
  EXPECT_EQ(box.inbound(kNow + 35s, outside, kPeer).refusal, Nat::Refusal::filtered);
}

TEST(Nat, IncomingDatagramsRefreshWhereTheKindSaysSo) {
  Nat box = nat({.inbound_refreshes = true, .expiry = 30s});
  const Endpoint outside = *box.outbound(kNow, kInside, kPeer);
  EXPECT_EQ(box.inbound(kNow + 20s, outside, kPeer).refusal, Nat::Refusal::none);
  EXPECT_EQ(box.inbound(kNow + 45s, outside, kPeer).refusal, Nat::Refusal::none);
}

TEST(Nat, AFirstDatagramThatMeetsOneFromItsPeerStrays) {
  Nat box = nat({.filtering = endpoint_independent, .strays = true});
  const Endpoint outside = *box.outbound(kNow, kInside, kStranger);
  EXPECT_EQ(box.inbound(kNow, outside, kPeer).inside, kInside);
  EXPECT_EQ(box.inbound(kNow, outside, kPeerOtherPort).inside, kInside);
  const Endpoint stray = *box.outbound(kNow + kCrossing - 1ns, kInside, kPeer);
  EXPECT_NE(stray, outside);
  EXPECT_EQ(stray.address, outside.address);
  EXPECT_EQ(box.outbound(kNow + kCrossing, kInside, kPeer), outside) << "the second one";
  EXPECT_EQ(box.outbound(kNow + kCrossing, kInside, kPeerOtherPort), outside) << "they did not meet";
  EXPECT_EQ(box.inbound(kNow + 900ms, stray, kPeer).inside, kInside) << "leads inside for a while";
  EXPECT_EQ(box.inbound(kNow + 900ms, stray, kStranger).refusal, Nat::Refusal::no_mapping) << "for the peer alone";
  EXPECT_EQ(box.inbound(kNow + 1100ms, stray, kPeer).refusal, Nat::Refusal::no_mapping);
  EXPECT_EQ(box.inbound(kNow + 1100ms, outside, kStranger).inside, kInside);
}

TEST(Nat, ARestartForgetsEverything) {
  Nat box = nat({});
  const Endpoint outside = *box.outbound(kNow, kInside, kPeer);
  box.reboot();
  EXPECT_EQ(box.inbound(kNow, outside, kPeer).refusal, Nat::Refusal::no_mapping);
  EXPECT_EQ(box.size(), 0u);
}

TEST(Nat, AFirewallTranslatesNothingAndFilters) {
  Nat box = nat({.filtering = address_and_port_dependent, .ports = PortRule::identity});
  EXPECT_EQ(box.inbound(kNow, kInside, kPeer).refusal, Nat::Refusal::no_mapping);
  EXPECT_EQ(box.outbound(kNow, kInside, kPeer), kInside);
  EXPECT_EQ(box.inbound(kNow, kInside, kPeer).inside, kInside);
  EXPECT_EQ(box.inbound(kNow, kInside, kStranger).refusal, Nat::Refusal::filtered);
}

TEST(Nat, TheTableIsBounded) {
  Nat box = nat({.mapping = address_and_port_dependent, .expiry = 30s});
  const auto port = [](std::size_t i) { return Endpoint{kPeer.address, static_cast<std::uint16_t>(i + 1)}; };
  for (std::size_t i = 0; i < kMappingsMax; ++i) ASSERT_TRUE(box.outbound(kNow, kInside, port(i)));
  EXPECT_FALSE(box.outbound(kNow, kInside, port(kMappingsMax)));
  EXPECT_TRUE(box.outbound(kNow + 30s, kInside, port(kMappingsMax))) << "expired ones make room";
}

}  // namespace
}  // namespace fireline::sim
