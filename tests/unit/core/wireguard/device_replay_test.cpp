// Messages of a handshake that somebody recorded and sends again. Those of the data: device_data_test.cpp.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

TEST(DeviceReplay, AnInitiationIsNotAnsweredTwiceTheSecondOneNeither) {
  World world;
  for (const std::uint64_t replays : {1u, 2u}) {
    SCOPED_TRACE(replays);
    world.a.send(world.now, a_to_b());
    const std::vector<Datagram> initiation = world.a.sent;
    ASSERT_EQ(initiation.at(0).type(), 1u);
    world.settle();
    world.now.boot += 1s;
    world.b.receive(world.now, initiation);
    world.b.step(world.now);
    EXPECT_EQ(world.b.count(DeviceCounter::drop_udp_old_timestamp), replays);
    EXPECT_TRUE(world.b.sent.empty());
    world.b.expect_ledger();
    // The next packet needs a new handshake.
    world.a.device.set_up(world.now, false, world.a.output);
    world.a.device.set_up(world.now, true, world.a.output);
  }
}

// The same keys once more, with counters from zero, would seal two packets with one nonce.
TEST(DeviceReplay, AResponseMakesNoSecondSession) {
  for (const Profile& profile : {kPaperProfile, kFirezoneProfile}) {
    World world({.profile = profile});
    world.a.send(world.now, a_to_b());
    world.carry(world.a, world.b);
    const std::vector<Datagram> response = world.b.sent;
    world.settle();
    world.a.receive(world.now, response);
    world.a.step(world.now);
    EXPECT_EQ(world.a.count(DeviceCounter::drop_udp_bad_response), 1u);
    EXPECT_EQ(world.a.count(DeviceCounter::handshakes_completed), 1u);
    EXPECT_TRUE(world.a.sent.empty());
    world.a.expect_ledger();
  }
}

}  // namespace
}  // namespace fireline::wireguard
