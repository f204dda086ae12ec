// What a gateway with its node does with a packet from a client and with one for a client: tunnel specification 5.3,
// 5.4, 6.1, 6.3, and its vectors V4 and V5.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/packet/icmp_error.h"
#include "core/tunnel/client_table.h"
#include "core/wireguard/goodbye.h"
#include "tests/unit/core/packet/packets.h"
#include "tests/unit/core/tunnel/gateway_world.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using packet::test::from_hex;
using testing::IsEmpty;
using enum GatewayCounter;

constexpr policy::Filter kWebOnly{.protocol = policy::FilterProtocol::udp, .first_port = 80, .last_port = 80};
constexpr policy::Filter kUdp5000{.protocol = policy::FilterProtocol::udp, .first_port = 5000, .last_port = 5000};
constexpr policy::Filter kUdp4000{.protocol = policy::FilterProtocol::udp, .first_port = 4000, .last_port = 4000};

enum class Answer : std::uint8_t { none, prohibited, network };

// As the specification says: from the refused packet's destination.
Packet answer_to(const Packet& refused, Answer answer) {
  const auto parsed = packet::IpPacket::parse(refused);
  Packet bytes(packet::kIcmpErrorBytes);
  const auto reason = answer == Answer::network ? packet::IcmpReason::network : packet::IcmpReason::prohibited;
  bytes.resize(packet::build_icmp_error(reason, 0, parsed->destination_address(), refused, bytes).value());
  return bytes;
}

Packet with(Packet packet, std::size_t at, std::uint8_t value) {
  packet.at(at) = std::byte{value};
  return packet;
}

// Header fields alone: the gateway does not verify checksums.
Packet icmp4(const std::string& source, const std::string& destination, std::uint8_t type) {
  Packet packet = wireguard::udp_packet(source, destination, 40);
  packet[9] = std::byte{1};
  packet[20] = std::byte{type};
  return packet;
}

// The packet with eight bytes of options behind its header, which begin with these four.
Packet with_options(Packet packet, std::uint32_t options) {
  packet.insert(packet.begin() + 20, 8, std::byte{0});
  packet[0] = std::byte{0x47};
  store_be16(packet, 2, static_cast<std::uint16_t>(packet.size()));
  store_be32(packet, 20, options);
  return packet;
}

// The same of IPv6: an extension header, which ends with these two.
Packet with_extension(Packet packet, std::uint8_t kind, std::uint16_t type_and_left) {
  packet.insert(packet.begin() + 40, 8, std::byte{0});
  store_be16(packet, 4, static_cast<std::uint16_t>(packet.size() - 40));
  packet[40] = std::exchange(packet[6], std::byte{kind});
  store_be16(packet, 42, type_and_left);
  return packet;
}

Packet control_packet(std::uint8_t type) {
  Packet packet(wireguard::kGoodbye.begin(), wireguard::kGoodbye.end());
  packet[40] = std::byte{type};
  return packet;
}

TEST(GatewayPacket, WhatIsGrantedPassesBothWaysUnchanged) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, network_behind(1, "10.0.0.0/8"));
  world.authorize(10, network_behind(2, "2001:db8::/32"));
  Packets there, back;
  for (std::uint8_t tag = 0; tag < 20; ++tag) {
    const std::string resource = tag % 3 == 0 ? "2001:db8::1" : "10.1.2.3";
    there.push_back(world.from_client(10, resource, tag));
    back.push_back(world.to_client(10, resource, tag));
  }
  client.station.send(there);
  world.run(200ms);
  EXPECT_EQ(world.station.delivered, there);
  world.station.send(back);
  world.run(200ms);
  EXPECT_EQ(client.station.delivered, back);
}

TEST(GatewayPacket, WhatAClientMayNotSend) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, network_behind(1, "10.0.0.0/8", {kUdp5000}));
  world.connect(11, network_behind(1, "10.0.0.0/8"));
  world.authorize(10, network_behind(2, "172.16.0.0/12", {kWebOnly}));
  world.authorize(10, network_behind(3, "fd10::/16"));
  const Packet good = world.from_client(10, "10.0.0.5");
  const Packet good_6 = world.from_client(10, "fd10::5");
  const Packet longest = wireguard::udp_packet("100.64.0.10", "10.0.0.5", 1280 - 28);
  const Packet too_long = wireguard::udp_packet("100.64.0.10", "10.0.0.5", 1281 - 28);
  Packet cut = good;
  cut.resize(24);
  cut[3] = std::byte{24};
  const struct {
    const char* rule;
    Packet packet;
    GatewayCounter counter;
    Answer answer;
  } kRows[] = {
      {"a resource with a filter that permits it", good, to_tun, Answer::none},
      {"the gateway itself", world.from_client(10, "100.64.0.1"), to_tun, Answer::none},
      {"the gateway itself in IPv6", world.from_client(10, "fd00:2021:1111::1"), to_tun, Answer::none},
      {"no resource", world.from_client(10, "192.0.2.1"), drop_inner_not_granted, Answer::prohibited},
      {"no resource, IPv6", world.from_client(10, "2001:db8::1"), drop_inner_not_granted, Answer::prohibited},
      {"no filter permits it", world.from_client(10, "172.16.0.1"), drop_inner_filtered, Answer::prohibited},
      {"a foreign source", wireguard::udp_packet("192.168.1.7", "10.0.0.5", 40), drop_inner_source, Answer::prohibited},
      {"another client's source", wireguard::udp_packet("100.64.0.11", "10.0.0.5", 40), drop_inner_source,
       Answer::prohibited},
      {"to another client", world.from_client(10, "100.64.0.11"), drop_inner_between_clients, Answer::prohibited},
      {"to another client in IPv6", world.from_client(10, "fd00:2021:1111::b"), drop_inner_between_clients,
       Answer::prohibited},
      {"to a proxy address", world.from_client(10, "100.96.0.1"), drop_inner_proxy, Answer::prohibited},
      {"multicast", world.from_client(10, "224.0.0.22"), drop_inner_multicast, Answer::none},
      {"multicast in IPv6", world.from_client(10, "ff02::2"), drop_inner_multicast, Answer::none},
      {"a first fragment", with(good, 6, 0x20), drop_inner_fragment, Answer::none},
      {"a later fragment", with(good, 7, 0x01), drop_inner_fragment, Answer::none},
      {"router alert", with_options(good, 0x94040000), to_tun, Answer::none},
      {"a loose source route", with_options(good, 0x83070400), drop_inner_source_route, Answer::none},
      {"a strict source route", with_options(good, 0x89070400), drop_inner_source_route, Answer::none},
      {"a source route from a foreign source",
       with_options(wireguard::udp_packet("192.168.1.7", "10.0.0.5", 40), 0x83070400), drop_inner_source_route,
       Answer::none},
      {"options that nobody can read", with_options(good, 0x44000000), drop_inner_source_route, Answer::none},
      {"a destination option", with_extension(good_6, 60, 0x0104), to_tun, Answer::none},
      {"a routing header of type 0", with_extension(good_6, 43, 0x0001), drop_inner_source_route, Answer::none},
      {"a routing header of type 0 with its way behind it", with_extension(good_6, 43, 0x0000), drop_inner_source_route,
       Answer::none},
      {"a routing header with a host before it", with_extension(good_6, 43, 0x0401), drop_inner_source_route,
       Answer::none},
      {"a transport header that is cut off", cut, drop_inner_bad_packet, Answer::none},
      {"as long as the tunnel's MTU", longest, to_tun, Answer::none},
      {"longer than the tunnel's MTU", too_long, drop_inner_too_long, Answer::none},
      {"an ICMP error", icmp4("100.64.0.10", "10.0.0.5", 3), drop_inner_icmp_error, Answer::none},
      {"an ICMP error from a foreign source: nothing answers an error", icmp4("192.168.1.7", "10.0.0.5", 3),
       drop_inner_source, Answer::none},
      {"an ICMP redirect", icmp4("100.64.0.10", "10.0.0.5", 5), drop_inner_icmp_error, Answer::none},
      {"an echo request that no filter permits", icmp4("100.64.0.10", "10.0.0.5", 8), drop_inner_filtered,
       Answer::prohibited},
      {"a protocol without ports", with(good, 9, 47), drop_inner_filtered, Answer::prohibited},
      {"the control protocol: assigned addresses", control_packet(0), drop_inner_control, Answer::none},
      {"the control protocol: an unknown event", control_packet(77), drop_inner_control, Answer::none},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    world.station.delivered.clear();
    client.station.delivered.clear();
    const std::uint64_t counted = world.count(row.counter);
    client.station.call([&](packet::Output& output) {
      client.node->send_packet(world.now(), crypto::public_key(gateway_private_key(1)), row.packet, output);
    });
    world.run(100ms);
    EXPECT_EQ(world.count(row.counter) - counted, 1u);
    EXPECT_EQ(world.station.delivered, row.counter == to_tun ? Packets{row.packet} : Packets{});
    EXPECT_EQ(client.station.delivered,
              row.answer == Answer::none ? Packets{} : Packets{answer_to(row.packet, row.answer)});
  }
  EXPECT_EQ(world.count(unanswered_rule), 1u);
}

// Beside the Internet resource a network that is granted holds, whatever kind of address it is of.
TEST(GatewayPacket, WhatTheInternetResourceReaches) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, internet_behind(1));
  world.authorize(10, network_behind(2, "192.168.7.0/24"));
  world.gateway->set_host_addresses({ip("203.0.113.9"), ip("2001:db8:7::7")});
  const struct {
    const char* rule;
    std::string destination;
    bool reached;
  } kRows[] = {
      {"a public address", "8.8.8.8", true},
      {"a public address in IPv6", "2606:4700::1111", true},
      {"below carrier-grade NAT", "100.63.255.255", true},
      {"above carrier-grade NAT", "100.128.0.0", true},
      {"above the private range 172.16/12", "172.32.0.1", true},
      {"private, 10/8", "10.0.0.1", false},
      {"private, 172.16/12", "172.16.0.1", false},
      {"private, 192.168/16", "192.168.1.1", false},
      {"private, and granted by a network of its own", "192.168.7.1", true},
      {"loopback", "127.0.0.1", false},
      {"link-local", "169.254.1.1", false},
      {"the cloud's metadata", "169.254.169.254", false},
      {"reserved", "240.0.0.1", false},
      {"unique local", "fd10::1", false},
      {"the cloud's metadata in IPv6", "fd00:ec2::254", false},
      {"link-local in IPv6", "fe80::1", false},
      {"loopback in IPv6", "::1", false},
      {"IPv4-mapped", "::ffff:10.0.0.1", false},
      {"a private address behind NAT64", "64:ff9b::10.0.0.1", false},
      {"this host's public address", "203.0.113.9", false},
      {"this host's public address in IPv6", "2001:db8:7::7", false},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    world.station.delivered.clear();
    client.station.delivered.clear();
    const std::uint64_t refused = world.count(drop_inner_not_internet);
    const Packet packet = world.from_client(10, row.destination);
    client.station.send({packet});
    world.run(100ms);
    EXPECT_EQ(world.station.delivered, row.reached ? Packets{packet} : Packets{});
    EXPECT_EQ(client.station.delivered, row.reached ? Packets{} : Packets{answer_to(packet, Answer::network)});
    EXPECT_EQ(world.count(drop_inner_not_internet) - refused, row.reached ? 0u : 1u);
  }
  // Nobody answers these, and carrier-grade NAT and tunnel addresses have rules of their own.
  for (const char* const silent : {"224.0.0.1", "255.255.255.255", "0.0.0.0", "ff0e::1", "::"}) {
    SCOPED_TRACE(silent);
    world.station.delivered.clear();
    client.station.delivered.clear();
    client.station.send({world.from_client(10, silent)});
    world.run(100ms);
    EXPECT_THAT(world.station.delivered, IsEmpty());
    EXPECT_THAT(client.station.delivered, IsEmpty());
  }
}

TEST(GatewayPacket, AnswersAreTheSpecificationsBytes) {
  const Packet v4 = from_hex("45000021000040004011cc7d6440000a0a0000059c40270f000d8a6368656c6c6f");
  const Packet v6 = from_hex(
      "60000000000d1140fd00202111110000000000000000000afd0020211111800000000000000000019c40270f000d1c4168656c6c6f");
  const struct {
    const char* rule;
    bool internet;
    Packet refused;
    Packet answer;
  } kRows[] = {
      {"V4, prohibited", false, v4,
       from_hex(
           "45000038000040001401f8760a0000056440000a030daf320000000045000021000040004011cc7d6440000a0a0000059c40270f"
           "000d8a63")},
      {"V4, network", true, v4,
       from_hex(
           "45000038000040001401f8760a0000056440000a0300af3f0000000045000021000040004011cc7d6440000a0a0000059c40270f"
           "000d8a63")},
      {"V5, prohibited", false, v6,
       from_hex(
           "60000000003d3a14fd002021111180000000000000000001fd00202111110000000000000000000a0101b0e600000000600000"
           "00000d1140fd00202111110000000000000000000afd0020211111800000000000000000019c40270f000d1c4168656c6c6f")},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    GatewayWorld world;
    PlainClient& client = world.connect(10, row.internet ? internet_behind(1) : network_behind(1, "192.0.2.0/24"));
    client.station.send({row.refused});
    world.run(100ms);
    EXPECT_EQ(client.station.delivered, Packets{row.answer});
  }
}

TEST(GatewayPacket, AnswersLeaveBehindTheBatchAndChangeNothingInIt) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, network_behind(1, "10.0.0.0/8"));
  Packets sent, passed, answers;
  for (std::uint8_t tag = 0; tag < 30; ++tag) {
    sent.push_back(world.from_client(10, tag % 3 == 1 ? "192.0.2.1" : "10.0.0.5", tag));
    if (tag % 3 == 1) {
      answers.push_back(answer_to(sent.back(), Answer::prohibited));
    } else {
      passed.push_back(sent.back());
    }
  }
  client.station.send(sent);
  world.run(100ms);
  EXPECT_EQ(world.station.delivered, passed);
  EXPECT_EQ(client.station.delivered, answers);
}

TEST(GatewayPacket, AnswersAreLimitedForEachClient) {
  GatewayWorld world;
  PlainClient& noisy = world.connect(10, network_behind(1, "10.0.0.0/8"));
  PlainClient& quiet = world.connect(11, network_behind(1, "10.0.0.0/8"));
  const auto flood = [&] {
    noisy.station.delivered.clear();
    for (int batch = 0; batch < 3; ++batch) noisy.station.send(Packets(100, world.from_client(10, "192.0.2.1")));
    world.run(100ms);
    return noisy.station.delivered.size();
  };
  EXPECT_EQ(flood(), kAnswersBurst);
  EXPECT_EQ(world.count(unanswered_limited), 300u - kAnswersBurst);
  quiet.station.send({world.from_client(11, "192.0.2.1")});
  world.run(100ms);
  EXPECT_EQ(quiet.station.delivered.size(), 1u) << "another client's flood costs it nothing";
  world.run(2s);
  EXPECT_EQ(flood(), kAnswersBurst) << "and later there are answers again";
  EXPECT_EQ(world.count(drop_inner_not_granted), 601u) << "each was refused";
}

TEST(GatewayPacket, WhatGoesToAClient) {
  GatewayWorld world;
  PlainClient& client = world.connect(10, network_behind(1, "10.0.0.0/8", {kUdp4000}));
  const Packet good = world.to_client(10, "10.0.0.5");
  const struct {
    const char* rule;
    Packet packet;
    GatewayCounter counter;
  } kRows[] = {
      {"a resource whose filter permits its port", good, to_node},
      {"the gateway itself", world.to_client(10, "100.64.0.1"), to_node},
      {"another port of the resource", with(good, 20, 99), drop_tun_not_granted},
      {"no resource", world.to_client(10, "192.0.2.1"), drop_tun_not_granted},
      {"another tunnel address", world.to_client(10, "100.64.0.77"), drop_tun_between_clients},
      {"a proxy address", world.to_client(10, "100.96.0.1"), drop_tun_not_granted},
      {"an ICMP error, from anywhere", icmp4("192.0.2.77", "100.64.0.10", 3), to_node},
      {"an echo reply that no filter permits", icmp4("10.0.0.5", "100.64.0.10", 0), drop_tun_not_granted},
      {"a redirect", icmp4("10.0.0.5", "100.64.0.10", 5), drop_tun_protocol},
      {"a protocol without ports", with(good, 9, 47), drop_tun_protocol},
      {"nobody's tunnel address", world.to_client(99, "10.0.0.5"), drop_tun_no_client},
      {"no tunnel address", wireguard::udp_packet("10.0.0.5", "192.0.2.1", 40), drop_tun_not_client},
      {"a fragment", with(good, 6, 0x20), drop_tun_fragment},
      {"router alert", with_options(good, 0x94040000), to_node},
      {"a source route", with_options(good, 0x83070400), drop_tun_source_route},
      {"a routing header of type 0", with_extension(world.to_client(10, "fd10::5"), 43, 0x0001), drop_tun_source_route},
      {"no IP packet", Packet(30), drop_tun_bad_packet},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    client.station.delivered.clear();
    const std::uint64_t counted = world.count(row.counter);
    world.station.delivered.clear();
    world.station.send({row.packet});
    world.run(100ms);
    EXPECT_EQ(world.count(row.counter) - counted, 1u);
    EXPECT_EQ(client.station.delivered, row.counter == to_node ? Packets{row.packet} : Packets{});
    EXPECT_THAT(world.station.delivered, IsEmpty()) << "nothing is answered";
  }
}

}  // namespace
}  // namespace fireline::tunnel
