// What a gateway may use as a source ends with the resource that it was given for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/core/tunnel/tunnel_world.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using enum ClientCounter;
using testing::IsEmpty;

const Uuid kKept = uuid(1);   // 10.0.0.0/8
const Uuid kTaken = uuid(2);  // 172.16.0.0/12

TEST(ClientSource, OfAResourceThatIsTakenFromTheGatewayIsNoneAnyMore) {
  const struct {
    const char* rule;
    std::function<void(TunnelWorld&)> take;
  } kRows[] = {
      {"the resource is deleted", [](TunnelWorld& world) { world.handle(portal::ResourceDeleted{kTaken}); }},
      {"its network is another one",
       [](TunnelWorld& world) { world.handle(portal::ResourceCreatedOrUpdated{cidr(2, "172.32.0.0/12")}); }},
      {"it is offline", [](TunnelWorld& world) { world.handle(failure(kTaken, portal::FlowFailure::offline)); }},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    TunnelWorld world;
    world.init({cidr(1, "10.0.0.0/8"), cidr(2, "172.16.0.0/12")});
    world.connect(kKept, "10.0.0.1", 1);
    world.connect(kTaken, "172.16.0.1", 1);
    Station& gateway = world.gateway(1).station;
    gateway.send({world.from("172.16.0.1")});
    world.run(100ms);
    EXPECT_EQ(world.station->delivered, Packets{world.from("172.16.0.1")});
    row.take(world);
    world.station->delivered.clear();
    gateway.send({world.from("172.16.0.1")});
    world.run(100ms);
    EXPECT_THAT(world.station->delivered, IsEmpty());
    EXPECT_EQ(world.count(drop_inner_source), 1u);
    gateway.send({world.from("10.0.0.1")});
    world.run(100ms);
    EXPECT_EQ(world.station->delivered, Packets{world.from("10.0.0.1")}) << "the other one stays";
  }
}

}  // namespace
}  // namespace fireline::tunnel
