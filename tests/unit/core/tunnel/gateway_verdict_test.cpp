// A gateway remembers its last verdict for the packets that follow. What may not be let through by that, and the room
// for its answers.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/tunnel/gateway_packets.h"
#include "tests/unit/core/tunnel/gateway_world.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using enum GatewayCounter;

Packet to_port(Packet packet, std::uint16_t port) {
  store_be16(packet, 22, port);
  return packet;
}
Packet from_port(Packet packet, std::uint16_t port) {
  store_be16(packet, 20, port);
  return packet;
}

// fd00:2021:1111::a to fd10::5 begins with the bytes of these addresses.
Packet with_the_first_bytes_of_ipv6() {
  return wireguard::udp_packet("253.0.32.33", "17.17.0.0", 40);
}

TEST(GatewayVerdict, IsOfOneClientAndOneFlow) {
  const policy::Filter udp_5000{.protocol = policy::FilterProtocol::udp, .first_port = 5000, .last_port = 5000};
  GatewayWorld world;
  world.connect(10, network_behind(1, "10.0.0.0/8", {udp_5000}));
  world.authorize(10, network_behind(2, "fd10::/16", {udp_5000}));
  world.connect(11, network_behind(1, "10.0.0.0/8", {udp_5000}));
  const Packet v4 = world.from_client(10, "10.0.0.5");
  const Packet v6 = world.from_client(10, "fd10::5");
  const struct {
    const char* rule;
    Packet permitted;  // of client 10, right before
    std::uint8_t client;
    Packet packet;
    GatewayCounter counter;
  } kRows[] = {
      {"the same packet", v4, 10, v4, to_tun},
      {"the same packet in IPv6", v6, 10, v6, to_tun},
      {"the same packet of another client", v4, 11, v4, drop_inner_source},
      {"the same packet of another client in IPv6", v6, 11, v6, drop_inner_source},
      {"another port", v4, 10, to_port(v4, 5001), drop_inner_filtered},
      {"the port at the other end", v4, 10, to_port(v4, 4000), drop_inner_filtered},
      {"another family, whose addresses are the first bytes", v6, 10, with_the_first_bytes_of_ipv6(),
       drop_inner_source},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    world.clients.at(10)->station.send({row.permitted});
    world.run(100ms);
    world.station.delivered.clear();
    const std::uint64_t counted = world.count(row.counter);
    world.clients.at(row.client)->station.send({row.packet});
    world.run(100ms);
    EXPECT_EQ(world.count(row.counter) - counted, 1u);
    EXPECT_EQ(world.station.delivered, row.counter == to_tun ? Packets{row.packet} : Packets{});
  }
}

TEST(GatewayVerdict, IsOfOneFlowTowardsTheClient) {
  GatewayWorld world;
  PlainClient& client = world.connect(
      10, network_behind(1, "10.0.0.0/8",
                         {{.protocol = policy::FilterProtocol::udp, .first_port = 4000, .last_port = 4000}}));
  const Packet good = world.to_client(10, "10.0.0.5");
  const struct {
    const char* rule;
    Packet packet;
    GatewayCounter counter;
  } kRows[] = {
      {"the same packet", good, to_node},
      {"to another port of the client", to_port(good, 5001), to_node},
      {"from another port", from_port(good, 4001), drop_tun_not_granted},
      {"from the port at the other end", from_port(good, 5000), drop_tun_not_granted},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    world.station.send({good});
    world.run(100ms);
    client.station.delivered.clear();
    const std::uint64_t counted = world.count(row.counter);
    world.station.send({row.packet});
    world.run(100ms);
    EXPECT_EQ(world.count(row.counter) - counted, 1u);
    EXPECT_EQ(client.station.delivered, row.counter == to_node ? Packets{row.packet} : Packets{});
  }
}

TEST(GatewayVerdict, EndsWhenTheHostHasAnotherAddress) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, internet_behind(1));
  const Packet packet = world.from_client(10, "203.0.113.9");
  client.station.send({packet});
  world.run(100ms);
  ASSERT_EQ(world.station.delivered, Packets{packet});
  world.gateway->set_host_addresses({ip("203.0.113.9")});
  client.station.send({packet});
  world.run(100ms);
  EXPECT_EQ(world.station.delivered.size(), 1u);
  EXPECT_EQ(world.count(drop_inner_not_internet), 1u);
}

// The longest: 500 of them are more than there is room for at once.
TEST(GatewayVerdict, AnswersLeaveTheirRoomToTheNextOnes) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, network_behind(1, "10.0.0.0/8"));
  const Packet refused = wireguard::udp_packet(world.own6(10), "2001:db8::1", 1232);
  static_assert(500 * 1000 > kAnswerBytesMax);
  for (std::size_t second = 1; second <= 5; ++second) {
    client.station.send(Packets(100, refused));
    world.run(1s);
    EXPECT_EQ(client.station.delivered.size(), 100 * second);
  }
  EXPECT_EQ(world.count(unanswered_room), 0u);
}

}  // namespace
}  // namespace fireline::tunnel
