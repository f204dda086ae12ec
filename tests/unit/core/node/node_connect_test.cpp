// From "the portal told both" to packets in both directions: direct, through NATs, relayed.
#include <gtest/gtest.h>

#include "tests/unit/core/node/node_fixture.h"

namespace fireline::node {
namespace {

using enum sim::Dependence;

struct Row {
  const char* rule;
  World::Options options;
  PathKind expected;
};

TEST(NodeConnect, FindsTheBestPathThatTheNatsAllow) {
  const Row rows[] = {
      {"cones on both sides: direct", {}, PathKind::reflexive},
      {"a symmetric client and a cone: direct, the gateway's cone lets anybody in",
       {.client_nat = address_and_port_dependent},
       PathKind::reflexive},
      {"symmetric on both sides: through a relay",
       {.client_nat = address_and_port_dependent, .gateway_nat = address_and_port_dependent},
       PathKind::relayed},
      {"IPv6 on both sides beats what NATs leave of IPv4",
       {.client_nat = address_and_port_dependent, .gateway_nat = address_and_port_dependent, .v6 = true},
       PathKind::host},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    World world(row.options);
    EXPECT_LT(world.connect(), 1s);
    world.run(2s);
    ASSERT_TRUE(world.exchange());
    const ConnectionStatus client = world.client->status("gateway");
    ASSERT_TRUE(client.path.has_value());
    EXPECT_EQ(name_of(client.path->kind), name_of(row.expected));
    EXPECT_EQ(client.phase, ConnectionPhase::connected);
    EXPECT_EQ(world.client->count(NodeEvent::Kind::established), 1u);
    EXPECT_EQ(world.gateway->count(NodeEvent::Kind::established), 1u);
    world.client->expect_ledger();
    world.gateway->expect_ledger();
  }
}

}  // namespace
}  // namespace fireline::node
