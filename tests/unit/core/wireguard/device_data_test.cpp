// Data through two devices: handshake, order, super-packets, trains, ECN, too big, MTUs, fairness.
#include <gtest/gtest.h>

#include "core/packet/ecn.h"
#include "core/packet/segmenter.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

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

}  // namespace
}  // namespace fireline::wireguard
