// The load over loopback, without a relay: what lanes send comes in both directions, counted per flow.
#include "tools/bench/relay_load.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

#include "io/socket_address.h"

namespace fireline::bench {
namespace {

struct LoopbackLane {
  io::FileDescriptor peer;
  std::vector<Flow> flows;
  [[nodiscard]] Lane lane() const { return {flows, peer.get()}; }
};

io::FileDescriptor loopback_socket() {
  io::FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const io::SocketAddress any_port = io::to_socket_address({IpAddress::parse("127.0.0.1").value(), 0, 0});
  EXPECT_EQ(::bind(socket.get(), any_port.get(), any_port.length), 0);
  return socket;
}

LoopbackLane loopback_lane(std::size_t flows) {
  LoopbackLane lane{loopback_socket(), {}};
  const io::SocketAddress peer = io::to_socket_address(local_endpoint(lane.peer.get()));
  for (std::size_t i = 0; i < flows; ++i) {
    Flow flow{loopback_socket(), {}, 0};
    flow.reached_at = local_endpoint(flow.socket.get());
    EXPECT_EQ(::connect(flow.socket.get(), peer.get(), peer.length), 0);
    lane.flows.push_back(std::move(flow));
  }
  return lane;
}

TEST(RelayLoad, LanesShareTheRateAndWhatTheySendComes) {
  for (const std::size_t count : {1u, 2u}) {
    std::vector<LoopbackLane> owned;
    std::vector<Lane> lanes;
    for (std::size_t i = 0; i < count; ++i) owned.push_back(loopback_lane(2));
    for (const LoopbackLane& lane : owned) lanes.push_back(lane.lane());
    for (const Direction direction : {Direction::to_peer, Direction::to_client}) {
      SCOPED_TRACE(count);
      // No more than a socket's buffer holds while its reader waits for a processor.
      const RelayResult result = run_relay_load(lanes, {direction, 100, 4, 1'000, std::chrono::milliseconds(100)});
      EXPECT_GT(result.sent, 8u);
      EXPECT_LE(result.sent, 110u) << "more than the rate of all lanes";
      EXPECT_EQ(result.received, result.sent);
      EXPECT_EQ(result.reordered + result.duplicates, 0u);
      ASSERT_EQ(result.per_flow.size(), 2 * count);
      for (const double flow : result.per_flow) EXPECT_GT(flow, 0);
    }
  }
}

}  // namespace
}  // namespace fireline::bench
