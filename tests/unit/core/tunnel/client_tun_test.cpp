#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/core/tunnel/client_fixture.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using enum ClientCounter;

Packet with(Packet packet, std::size_t at, std::uint8_t value) {
  packet[at] = std::byte{value};
  return packet;
}
Packet cut_off(Packet packet) {
  packet.resize(10);
  return packet;
}
Packet from_to(const std::string& source, const std::string& destination) {
  return wireguard::udp_packet(source, destination, 40);
}
Packet own_to(const std::string& destination) {
  return ClientFixture::udp(destination);
}

// Resource 1 is 10.0.0.0/8 and has gateway 1; 2 is 172.16.0.0/12, 3 is 2001:db8::/32, 9 the Internet, all without.
void set_up(ClientFixture& fixture) {
  fixture.init({cidr(1, "10.0.0.0/8"), cidr(2, "172.16.0.0/12"), cidr(3, "2001:db8::/32"), internet(9)});
  fixture.connect(uuid(1), "10.0.0.1", 1);
  fixture.events.clear();
}

TEST(ClientTun, WhatBecomesOfAPacket) {
  const Packet control = [] {
    Packet packet = from_to("::", "::");
    packet[6] = std::byte{0xFF};
    packet[7] = std::byte{0};
    return packet;
  }();
  const struct {
    const char* rule;
    Packet packet;
    ClientCounter counter;
    std::vector<Uuid> asked = {};
  } kRows[] = {
      {"a resource with a gateway", own_to("10.2.3.4"), to_node},
      {"a resource without one", own_to("172.16.0.1"), held, {uuid(2)}},
      {"IPv6 as well", own_to("2001:db8::1"), held, {uuid(3)}},
      {"everything else is the Internet's", own_to("192.0.2.1"), held, {uuid(9)}},
      {"the gateway itself", own_to(gateway_ip4(1)), to_node},
      {"the gateway itself in IPv6", own_to(gateway_ip6(1)), to_node},
      {"a gateway that is not connected: no resource's, not even the Internet's", own_to(gateway_ip4(2)),
       drop_tun_no_gateway},
      {"another client", own_to("fd00:2021:1111::77"), drop_tun_no_gateway},
      {"a source of the LAN", from_to("192.168.1.5", "10.0.0.1"), drop_tun_foreign_source},
      {"a source of the LAN to the Internet asks for nothing", from_to("192.168.1.5", "192.0.2.1"),
       drop_tun_foreign_source},
      {"a link-local source", from_to("fe80::1", "2001:db8::1"), drop_tun_foreign_source},
      {"another device's tunnel address as source", from_to("100.64.0.11", "10.0.0.1"), drop_tun_foreign_source},
      {"packet to self", own_to(kOwn4), drop_tun_to_self},
      {"packet to self in IPv6", own_to(kOwn6), drop_tun_to_self},
      {"IGMP", own_to("224.0.0.22"), drop_tun_multicast},
      {"mDNS", own_to("224.0.0.251"), drop_tun_multicast},
      {"router solicitation", own_to("ff02::2"), drop_tun_multicast},
      {"MLD from an address that is not ours", from_to("fe80::1", "ff02::16"), drop_tun_multicast},
      {"a stale sentinel is not the Internet's", own_to("100.100.111.7"), drop_tun_stale_sentinel},
      {"a stale sentinel in IPv6", own_to("fd00:2021:1111:8000:100:100:111:0"), drop_tun_stale_sentinel},
      {"a proxy address without a name is not the Internet's", own_to("100.96.0.1"), drop_tun_unknown_proxy},
      {"a proxy address in IPv6", own_to("fd00:2021:1111:8000::1"), drop_tun_unknown_proxy},
      {"the control protocol does not come from the TUN", control, drop_tun_foreign_source},
      {"a first fragment", with(own_to("10.0.0.1"), 6, 0x20), drop_tun_fragment},
      {"a later fragment", with(own_to("10.0.0.1"), 7, 0x10), drop_tun_fragment},
      {"a UDP length that is wrong", with(own_to("10.0.0.1"), 25, 7), drop_tun_bad_packet},
      {"ICMPv6 in IPv4", with(own_to("10.0.0.1"), 9, 58), drop_tun_bad_packet},
      {"another protocol of IP passes", with(own_to("10.0.0.1"), 9, 47), to_node},
      {"no IP packet", with(own_to("10.0.0.1"), 0, 0x55), drop_tun_bad_packet},
      {"cut off", cut_off(own_to("10.0.0.1")), drop_tun_bad_packet},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture({.internet_enabled = true});
    set_up(fixture);
    const std::uint64_t before = fixture.count(row.counter);
    const std::uint64_t total = fixture.count(tun_packets);
    fixture.send(row.packet);
    EXPECT_EQ(fixture.count(row.counter), before + 1) << name_of(row.counter);
    EXPECT_EQ(fixture.count(tun_packets), total + 1);
    EXPECT_EQ(fixture.asked(), row.asked);
  }
}

TEST(ClientTun, WithoutResources) {
  ClientFixture fixture;
  fixture.send(own_to("10.0.0.1"));
  EXPECT_EQ(fixture.count(drop_tun_unconfigured), 1u) << "the portal has not given addresses";
  fixture.init({internet(9)});
  fixture.send(own_to("192.0.2.1"));
  EXPECT_EQ(fixture.count(drop_tun_no_resource), 1u) << "the Internet resource is switched off";
  EXPECT_TRUE(fixture.asked().empty());
}

TEST(ClientTun, OneBatchOfManyKindsKeepsItsOrder) {
  ClientFixture fixture;
  set_up(fixture);
  const std::uint64_t before = fixture.segments_in_node();
  fixture.send({own_to("10.0.0.1"), own_to("172.16.0.1"), own_to("224.0.0.1"), own_to("10.0.0.1"), own_to("11.0.0.1"),
                own_to("172.16.0.1"), own_to("10.0.0.2")});
  EXPECT_EQ(fixture.segments_in_node() - before, 3u) << "only these reach the node";
  EXPECT_EQ(fixture.count(pending_repeated), 1u);
  EXPECT_EQ(fixture.pending_of(uuid(2)), 1u);
  EXPECT_EQ(fixture.count(drop_tun_no_resource), 1u);
}

TEST(ClientTun, SuperPackets) {
  packet::Offload offload;
  ClientFixture fixture;
  set_up(fixture);
  const Packet held_packet = wireguard::tcp_super_packet(kOwn4, "172.16.0.1", 3000, 1000, offload);
  fixture.send_super(held_packet, offload);
  EXPECT_EQ(fixture.pending_of(uuid(2)), 3u) << "without a gateway it waits as its segments";

  const Packet sent = wireguard::tcp_super_packet(kOwn4, "10.0.0.1", 3000, 1000, offload);
  const std::uint64_t before = fixture.segments_in_node();
  fixture.send_super(sent, offload);
  EXPECT_EQ(fixture.segments_in_node() - before, 3u) << "with a gateway the node gets it whole";

  offload.segment_bytes = 0;
  fixture.send_super(held_packet, offload);
  EXPECT_EQ(fixture.count(drop_tun_bad_packet), 1u) << "segments of nothing";
}

TEST(ClientTun, APacketThatIsTooBigIsAnsweredWhoeverHasIt) {
  ClientFixture fixture;
  set_up(fixture);
  const auto answered = [&] {
    return fixture.client->node().device().counters().get(wireguard::DeviceCounter::sent_icmp_errors);
  };
  fixture.send(wireguard::udp_packet(kOwn4, "10.0.0.1", 1280));
  EXPECT_EQ(answered(), 1u);
  fixture.send(wireguard::udp_packet(kOwn4, "172.16.0.1", 1280));
  EXPECT_EQ(answered(), 2u) << "without a gateway as well";
  EXPECT_EQ(fixture.pending_of(uuid(2)), 0u);
  EXPECT_TRUE(fixture.asked().empty()) << "what can never be sent asks for nothing";
}

TEST(ClientTun, TheRememberedLookUpFollowsEachChange) {
  ClientFixture fixture;
  fixture.init({cidr(1, "10.0.0.0/8")});
  const Packet packet = own_to("10.0.0.1");
  fixture.send(packet);
  EXPECT_EQ(fixture.count(held), 1u);
  fixture.handle(flow(uuid(1), 1));
  fixture.send(packet);
  EXPECT_EQ(fixture.count(to_node), 1u) << "behind the portal's answer";
  fixture.handle(portal::ResourceCreatedOrUpdated{cidr(2, "10.0.0.0/24")});
  fixture.send(packet);
  EXPECT_EQ(fixture.count(held), 2u) << "a longer prefix is another resource's";
  fixture.handle(portal::ResourceDeleted{uuid(2)});
  fixture.send(packet);
  EXPECT_EQ(fixture.count(to_node), 2u);
  fixture.handle(portal::ResourceDeleted{uuid(1)});
  fixture.send(packet);
  EXPECT_EQ(fixture.count(drop_tun_no_resource), 1u);
  portal::Interface other = own_interface();
  other.ipv4 = ip("10.0.0.1");
  fixture.handle(portal::ConfigChanged{other});
  fixture.send(packet);
  EXPECT_EQ(fixture.count(drop_tun_foreign_source), 1u) << "what was our address is not any more";
}

}  // namespace
}  // namespace fireline::tunnel
