// The Internet resource of a client beside resources with networks of their own, and what its switch takes away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/core/tunnel/client_fixture.h"
#include "tests/unit/core/tunnel/tunnel_world.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using enum ClientCounter;
using testing::ElementsAre;
using testing::IsEmpty;

const Uuid kInternet = uuid(9);

TEST(ClientInternet, WhatWaitsForItGoesWithTheSwitch) {
  ClientFixture fixture({.internet_enabled = true});
  fixture.init({internet(9)});
  fixture.send(fixture.udp("192.0.2.1"));
  EXPECT_EQ(fixture.pending_of(kInternet), 1u);
  fixture.client->set_internet_enabled(fixture.now, false, fixture.output);
  EXPECT_EQ(fixture.pending_of(kInternet), 0u);
  EXPECT_EQ(fixture.count(drop_pending_abandoned), 1u);
  fixture.handle(flow(kInternet, 1));
  EXPECT_THAT(fixture.outcomes(), ElementsAre(FlowOutcome::not_wanted)) << "the answer comes too late";
  EXPECT_EQ(fixture.client->node().connection_count(), 0u);
}

TEST(ClientInternet, ANetworkOfLengthZeroComesBeforeItAndStaysThere) {
  TunnelWorld world({.internet_enabled = true});
  world.init({internet(9), cidr(2, "0.0.0.0/0", {2}), cidr(3, "fd10::/16")});
  world.connect(kInternet, "2001:db8::1", 1);
  world.connect(uuid(2), "192.0.2.1", 2);
  world.connect(uuid(3), "fd10::1", 1);  // the Internet's gateway gets its networks anew
  world.run(200ms);
  for (const std::uint8_t number : {std::uint8_t{1}, std::uint8_t{2}}) world.gateway(number).station.delivered.clear();
  world.station->send({world.to("192.0.2.1"), world.to("2001:db8::1")});
  world.run(200ms);
  EXPECT_THAT(world.gateway(2).station.delivered, ElementsAre(world.to("192.0.2.1")));
  EXPECT_THAT(world.gateway(1).station.delivered, ElementsAre(world.to("2001:db8::1")));
}

}  // namespace
}  // namespace fireline::tunnel
