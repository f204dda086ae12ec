// A path that died shortly before both sides go idle: what the gateway has left stays left.
#include <gtest/gtest.h>

#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kInside = "10.0.0.4:52625";
constexpr const char* kPortBefore = "203.0.113.9:40000";
constexpr const char* kPortAfter = "203.0.113.9:40001";
constexpr const char* kServer = "198.51.100.7:52625";
constexpr const char* kThroughRelay = "192.0.2.200:50000";

// The direct path works until `direct_is_dead`; half a minute on it.
struct DeadDirectPath : VirtualNetwork {
  DeadDirectPath() {
    loses = [this](const Sent& sent) {
      const bool direct = sent.transmit.source == at(kServer) || sent.transmit.destination == at(kServer);
      return direct_is_dead && direct;
    };
    add(client, {host(kInside)});
    add(gateway, {host(kServer), relayed(kThroughRelay)});
    run_for(seconds(30));
  }
  // Both fall back to the relay, and go idle a few seconds later.
  void die_and_go_idle() {
    ASSERT_TRUE(gateway.uses(kServer, kInside));
    direct_is_dead = true;
    run_for(seconds(24));
    ASSERT_TRUE(client.uses(kInside, kThroughRelay));
    ASSERT_TRUE(gateway.uses(kThroughRelay, kInside));
    set_timing(Pace::idle);
  }
  bool direct_is_dead = false;
};

TEST(AgentIdle, AGatewayDoesNotGoBackToTheDeadPathThatItLeft) {
  DeadDirectPath net;
  net.die_and_go_idle();
  const auto moves = net.gateway.paths().size();
  net.run_for(seconds(3));
  EXPECT_TRUE(net.gateway.uses(kThroughRelay, kInside));
  net.set_timing(Pace::active);
  net.run_for(seconds(1));
  EXPECT_TRUE(net.gateway.uses(kThroughRelay, kInside)) << "nor on waking";
  net.set_timing(Pace::idle);
  net.run_for(seconds(1));
  net.set_timing(Pace::active);
  net.run_for(seconds(30));
  EXPECT_EQ(net.gateway.paths().size(), moves) << "however short it was awake";
}

TEST(AgentIdle, AGatewayGoesBackToThePathThatIsUsedAgain) {
  DeadDirectPath net;
  net.die_and_go_idle();
  net.direct_is_dead = false;
  net.run_for(seconds(26));
  EXPECT_TRUE(net.client.uses(kInside, kServer));
  EXPECT_TRUE(net.gateway.uses(kServer, kInside));
}

// Behind a NAT that forgot, the client's checks come from a new port: two pairs of the same priority.
TEST(AgentIdle, AGatewayStaysWithThePortThatTheClientHasGoneOverTo) {
  VirtualNetwork net;
  net.nat[at(kInside)] = at(kPortBefore);
  net.add_silently(net.client, {host(kInside)});
  net.add(net.gateway, {host(kServer)});
  net.run_for(seconds(30));
  ASSERT_TRUE(net.gateway.uses(kServer, kPortBefore));
  net.nat[at(kInside)] = at(kPortAfter);
  net.run_for(seconds(25));
  ASSERT_TRUE(net.gateway.uses(kServer, kPortAfter));
  const auto moves = net.gateway.paths().size();
  net.set_timing(Pace::idle);
  net.run_for(seconds(1));
  EXPECT_TRUE(net.gateway.uses(kServer, kPortAfter));
  net.set_timing(Pace::active);
  net.run_for(seconds(30));
  EXPECT_EQ(net.gateway.paths().size(), moves);
}

}  // namespace
}  // namespace fireline::ice
