// How much of the table of questions one client, one actor and one gateway can take.
#include <gtest/gtest.h>

#include "core/portal/server/flows.h"
#include "tests/unit/core/portal/server/portal_world.h"

namespace fireline::portal {
namespace {

constexpr Instant kNow{std::chrono::hours(1)};

TEST(FlowLimits, AClientCannotAskWithoutEnd) {
  PortalWorld world(policy::document_of(kFlowsClientMax + 5));
  world.gateway();
  world.client();
  for (std::size_t i = 0; i < kFlowsClientMax + 5; ++i) world.ask("alice", "n" + std::to_string(i));
  EXPECT_EQ(world.count(PortalCounter::flow_limited), 5u);
  EXPECT_EQ(world.lines().size(), kFlowsClientMax);
  world.pass(kFlowPatience + std::chrono::seconds(60));
  static_cast<void>(world.lines());
  world.ask("alice", "n0");
  EXPECT_EQ(world.lines(), Lines{"gw1 < authorize_flow alice n0"});
}

// Of clients with kFlowsClientMax questions each, of one actor or of many; how many were taken.
std::size_t fill(FlowTable& table, ScriptedRandom& random, ConnectionId gateway, bool one_actor) {
  std::size_t taken = 0;
  for (std::size_t i = 0; i < kFlowsMax; ++i) {
    const std::size_t client = 1 + i / kFlowsClientMax;
    const Uuid actor = policy::id_of(one_actor ? "alice" : "actor " + std::to_string(client));
    PendingFlow flow{.client = ConnectionId(client), .gateway = gateway, .actor = actor, .answer = {}};
    flow.answer.resource = policy::id_of(std::to_string(i));
    if (table.add(kNow, random, std::move(flow))) ++taken;
  }
  return taken;
}

TEST(FlowLimits, AnActorsAndAGatewaysQuestionsLeaveRoomForOthers) {
  ScriptedRandom random;
  FlowTable table;
  EXPECT_EQ(fill(table, random, ConnectionId(1000), true), kFlowsActorMax);
  EXPECT_EQ(fill(table, random, ConnectionId(1000), false), kFlowsGatewayMax - kFlowsActorMax)
      << "everybody else's at the same gateway";
  PendingFlow other{.client = ConnectionId(99), .gateway = ConnectionId(1001), .actor = {}, .answer = {}};
  EXPECT_TRUE(table.add(kNow, random, other));
  EXPECT_EQ(table.size(), kFlowsGatewayMax + 1);
  table.gateway_closed(ConnectionId(1000));
  EXPECT_EQ(table.size(), 1u) << "nobody is left who could answer";
  EXPECT_EQ(fill(table, random, ConnectionId(1002), true), kFlowsActorMax);
}

// One token's devices and a gateway that never answers: another site's gateway is asked all the same.
TEST(FlowLimits, OneActorAndASilentGatewayDoNotStopTheOthers) {
  PortalWorld world;
  world.gateway("gw1", "lab");
  world.gateway("gw9", "away");
  world.client("robot", "robot");
  for (std::size_t i = 0; i < kFlowsMax / kFlowsClientMax; ++i) {
    const std::string name = "a" + std::to_string(i);
    world.client(name);
    for (std::size_t n = 0; n < kFlowsClientMax; ++n) world.ask(name, "net");
    EXPECT_EQ(world.lines(), Lines{"gw1 < authorize_flow " + name + " net"});
  }
  world.ask("robot", "far", {"gw9"});
  EXPECT_EQ(world.lines(), Lines{"gw9 < authorize_flow robot far"});
}

}  // namespace
}  // namespace fireline::portal
