// Two agents with a NAT between them that does what it should not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <utility>

#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kClient = "203.0.113.9:40000";
constexpr const char* kGateway = "172.31.0.100:52625";
constexpr const char* kGatewayOutside = "198.51.100.7:52625";
constexpr const char* kGatewayStray = "198.51.100.7:12476";

// Both ends' first datagrams cross in the gateway's NAT, and Linux gives the one that leaves a port of its own, which
// leads inside for a second. All that follows leaves from the usual port, the answers to what came to the stray one
// included. `stray_first`: the stray one is the first that the client hears of; else its own check was answered before.
void expect_stray_unused(bool stray_first) {
  VirtualNetwork net;
  net.nat[at(kGateway)] = at(kGatewayOutside);
  net.inward[at(kGatewayStray)] = at(kGateway);
  const Instant end_of_stray = net.now() + seconds(1);
  bool strayed = false;
  net.strays = [&](const Sent& sent) -> std::optional<Endpoint> {
    if (sent.transmit.source != at(kGateway) || sent.is_request != stray_first || std::exchange(strayed, true)) {
      return std::nullopt;
    }
    return at(kGatewayStray);
  };
  net.loses = [&](const Sent& sent) {
    return sent.transmit.destination == at(kGatewayStray) && sent.time >= end_of_stray;
  };
  net.add(net.client, {host(kClient)});
  net.add_silently(net.gateway, {host(kGateway)});  // nobody outside reaches it there
  net.add(net.gateway, {reflexive(kGatewayOutside, kGateway)});
  net.run_for(milliseconds(900));
  ASSERT_TRUE(strayed);
  EXPECT_TRUE(net.client.uses(kClient, kGatewayOutside)) << "while the stray port leads inside as well";
  EXPECT_TRUE(net.gateway.uses(kGateway, kClient));
  net.run_for(seconds(30));
  EXPECT_THAT(net.client.paths(), testing::SizeIs(1)) << "it never moved";
  EXPECT_TRUE(net.client.uses(kClient, kGatewayOutside));
  EXPECT_GT(net.client.count(AgentCounter::drop_asymmetric), 0u);
}

TEST(AgentNat, APortThatAnswersFromAnotherOneIsNotUsed) {
  expect_stray_unused(true);
}

TEST(AgentNat, AnAnswerFromAStrayPortProvesNothing) {
  expect_stray_unused(false);
}

}  // namespace
}  // namespace fireline::ice
