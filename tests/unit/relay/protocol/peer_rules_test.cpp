// Which peers are refused, in every spelling of their address, and that the server asks at every door.
#include "relay/protocol/peer_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

struct Row {
  std::string_view rule;
  std::string_view peer;
  bool firezone;  // refused
  bool fixed;     // refused with --auth static
};
const Row kRows[] = {
    {"a public address", "192.0.2.1:53", false, false},
    {"a public IPv6 address", "[2001:db8:f::1]:53", false, false},

    {"loopback", "127.0.0.1:53", true, true},
    {"any loopback", "127.255.255.254:53", true, true},
    {"IPv6 loopback", "[::1]:53", true, true},
    {"unspecified", "0.0.0.0:53", true, true},
    {"this network", "0.1.2.3:53", true, true},
    {"IPv6 unspecified", "[::]:53", true, true},
    {"multicast", "224.0.0.251:53", true, true},
    {"reserved above multicast is none", "240.0.0.1:53", false, false},
    {"IPv6 multicast", "[ff02::fb]:53", true, true},
    {"broadcast", "255.255.255.255:53", true, true},
    {"link-local", "169.254.1.1:53", true, true},
    {"the clouds' metadata service", "169.254.169.254:80", true, true},
    {"IPv6 link-local", "[fe80::1]:53", true, true},
    {"the end of IPv6 link-local", "[febf::1]:53", true, true},

    {"10/8", "10.1.2.3:53", false, true},
    {"172.16/12", "172.16.0.1:53", false, true},
    {"the end of 172.16/12", "172.31.255.255:53", false, true},
    {"behind 172.16/12", "172.32.0.1:53", false, false},
    {"192.168/16", "192.168.1.1:53", false, true},
    {"carriers' NAT", "100.64.0.1:53", false, true},
    {"behind carriers' NAT", "100.128.0.1:53", false, false},
    {"unique local", "[fd00::1]:53", false, true},
    {"the other half of unique local", "[fc00::1]:53", false, true},
    {"site-local", "[fec0::1]:53", false, true},
    {"the host's own network", "198.51.100.77:53", false, true},
    {"the host's own IPv6 network", "[2001:db8:10::77]:53", false, true},
    {"broadcast of the host's network", "198.51.100.255:53", true, true},

    {"own address, control port", "203.0.113.10:3478", true, true},
    {"own address, a service", "203.0.113.10:22", true, true},
    {"own address, below the range", "203.0.113.10:49151", true, true},
    {"own address, an allocation port", "203.0.113.10:49152", false, false},
    {"own IPv6 address, a service", "[2001:db8:10::10]:22", true, true},
    {"own interface address, a service", "198.51.100.5:22", true, true},
    {"own interface address, an allocation port", "198.51.100.5:60000", false, false},

    {"mapped loopback", "[::ffff:127.0.0.1]:53", true, true},
    {"mapped metadata service", "[::ffff:169.254.169.254]:80", true, true},
    {"mapped private", "[::ffff:10.0.0.1]:53", false, true},
    {"mapped public", "[::ffff:192.0.2.1]:53", false, false},
    {"mapped own address", "[::ffff:203.0.113.10]:22", true, true},
    {"compatible loopback", "[::127.0.0.1]:53", true, true},
    {"compatible private", "[::10.0.0.1]:53", false, true},
    {"translated loopback", "[::ffff:0:127.0.0.1]:53", true, true},
    {"6to4 of loopback", "[2002:7f00:1::1]:53", true, true},
    {"6to4 of the metadata service", "[2002:a9fe:a9fe::]:80", true, true},
    {"6to4 of private", "[2002:a00:1::1]:53", false, true},
    {"6to4 of public", "[2002:c000:201::1]:53", false, false},
    {"NAT64 of loopback", "[64:ff9b::127.0.0.1]:53", true, true},
    {"NAT64 of the metadata service", "[64:ff9b::169.254.169.254]:80", true, true},
    {"NAT64 of private", "[64:ff9b::192.168.0.1]:53", false, true},
    {"NAT64 of public", "[64:ff9b::192.0.2.1]:53", false, false},
    {"NAT64 of the own address", "[64:ff9b::203.0.113.10]:22", true, true},
    {"local NAT64 /96 of loopback", "[64:ff9b:1::127.0.0.1]:53", true, true},
    {"local NAT64 /96 of public", "[64:ff9b:1::192.0.2.1]:53", false, false},
    {"local NAT64 /48 of loopback", "[64:ff9b:1:7f00:0:100::]:53", true, true},
    {"local NAT64 /48 of public", "[64:ff9b:1:c000:2:100::]:53", false, false},
    {"local NAT64 /56 of the metadata service", "[64:ff9b:1:a9:fe:a9fe::]:80", true, true},
    {"local NAT64 /56 of loopback", "[64:ff9b:1:7f:0:1::]:53", true, true},
    {"local NAT64 /64 of loopback", "[64:ff9b:1:0:7f:0:100:0]:53", true, true},
    {"local NAT64 of nothing", "[64:ff9b:1::]:53", true, true},
    {"Teredo of a loopback client", "[2001:0:c000:201::80ff:fffe]:53", true, true},
    {"Teredo of a private client", "[2001:0:c000:201::f5ff:fffe]:53", false, true},
    {"Teredo of a loopback server", "[2001:0:7f00:1::3fff:fdfe]:53", true, true},
    {"ISATAP of loopback", "[2001:db8::5efe:127.0.0.1]:53", true, true},
    {"ISATAP of loopback, universal bit", "[2001:db8::200:5efe:127.0.0.1]:53", true, true},
};

PeerRules rules(bool refuse_private) {
  return {.refuse_private = refuse_private,
          .allow = {},
          .deny = {},
          .host_prefixes = {*Prefix::parse("198.51.100.0/24"), *Prefix::parse("2001:db8:10::/64")},
          .own_addresses = {*IpAddress::parse("203.0.113.10"), *IpAddress::parse("2001:db8:10::10"),
                            *IpAddress::parse("198.51.100.5")},
          .lowest_port = 49152,
          .highest_port = 65535};
}

TEST(PeerRules, TheEndsOfTheRangeOfPorts) {
  PeerRules narrow = rules(false);
  narrow.highest_port = 60000;
  EXPECT_FALSE(narrow.refuses(at("203.0.113.10:60000")));
  EXPECT_TRUE(narrow.refuses(at("203.0.113.10:60001"))) << "a service of the host";
}

TEST(PeerRules, WhichNetworksHaveABroadcastAddress) {
  PeerRules small = rules(false);
  small.host_prefixes = {*Prefix::parse("198.51.100.0/30"), *Prefix::parse("198.51.100.8/31")};
  EXPECT_TRUE(small.refuses(at("198.51.100.3:53")));
  EXPECT_FALSE(small.refuses(at("198.51.100.2:53")));
  EXPECT_FALSE(small.refuses(at("198.51.100.9:53"))) << "RFC 3021";
}

TEST(PeerRules, EachSpellingOfARefusedPeerIsRefused) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(rules(false).refuses(at(row.peer)), row.firezone);
    EXPECT_EQ(rules(true).refuses(at(row.peer)), row.fixed);
  }
}

struct ListRow {
  std::string_view rule;
  std::string_view peer;
  std::string_view allow;
  std::string_view deny;
  bool refused;  // with --auth static
};
const ListRow kLists[] = {
    {"allowed private", "10.1.2.3:53", "10.1.0.0/16", "", false},
    {"outside of what is allowed", "10.2.2.3:53", "10.1.0.0/16", "", true},
    {"allowed host network", "198.51.100.77:53", "198.51.100.0/24", "", false},
    {"allowed private, mapped", "[::ffff:10.1.2.3]:53", "10.1.0.0/16", "", false},
    {"allowed by its outer spelling", "[64:ff9b::10.1.2.3]:53", "64:ff9b::/96", "", false},
    {"loopback cannot be allowed", "127.0.0.1:53", "127.0.0.0/8", "", true},
    {"nor by its outer spelling", "[64:ff9b::127.0.0.1]:53", "64:ff9b::/96", "", true},
    {"link-local cannot be allowed", "169.254.169.254:80", "169.254.0.0/16", "", true},
    {"own services cannot be allowed", "198.51.100.5:22", "198.51.100.0/24", "", true},
    {"denied public", "192.0.2.1:53", "", "192.0.2.0/24", true},
    {"denied public, 6to4", "[2002:c000:201::1]:53", "", "192.0.2.0/24", true},
    {"denied IPv6", "[2001:db8:f::1]:53", "", "2001:db8:f::/48", true},
    {"deny wins over allow", "10.1.2.3:53", "10.0.0.0/8", "10.1.0.0/16", true},
};

TEST(PeerRules, ListsOfTheOperator) {
  for (const ListRow& row : kLists) {
    SCOPED_TRACE(row.rule);
    PeerRules with = rules(true);
    if (!row.allow.empty()) with.allow.push_back(*Prefix::parse(row.allow));
    if (!row.deny.empty()) with.deny.push_back(*Prefix::parse(row.deny));
    EXPECT_EQ(with.refuses(at(row.peer)), row.refused);
  }
}

TEST(PeerRules, APermissionForAnOwnAddressIsJudgedPortByPort) {
  EXPECT_FALSE(rules(true).refuses(at("203.0.113.10:0")));
  Relay relay(static_config());
  Client client(relay, "198.51.100.7:51820", "a", "pa", "example.org");
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_EQ(client.permit({"203.0.113.10:0"}), 0);
  client.send_indication("203.0.113.10:3478", "x");
  EXPECT_EQ(relay.count(ServerCounter::drop_control_refused_peer), 1u);
  client.send_indication("203.0.113.10:50000", "x");
  EXPECT_EQ(relay.count(ServerCounter::sent_indications), 1u);
  EXPECT_EQ(client.bind(0x4000, "203.0.113.10:3478"), 403);
  EXPECT_EQ(client.bind(0x4000, "203.0.113.10:50000"), 0);
}

TEST(PeerRules, NoRefusedPeerPassesAnyDoor) {
  for (const Row& row : kRows) {
    if (!row.fixed) continue;
    SCOPED_TRACE(row.rule);
    ServerConfig config = static_config();
    config.peers = rules(true);
    Relay relay(config);
    Client client(relay, "198.51.100.7:51820", "a", "pa", "example.org");
    ASSERT_EQ(client.allocate(), 0);
    EXPECT_EQ(client.bind(0x4000, row.peer), 403);
    EXPECT_EQ(client.last.integrity, stun::Check::good);
    client.send_indication(row.peer, "x");
    EXPECT_EQ(client.to_peer(0x4000, "x"), "dropped");
    EXPECT_EQ(relay.count(ServerCounter::sent_indications), 0u);
    EXPECT_GE(relay.count(ServerCounter::refused_peers), 2u);
    EXPECT_TRUE(relay.host.entries.empty());
    relay.expect_consistent();
  }
}

TEST(PeerRules, NewOnesRemoveWhatTheyRefuseAtOnce) {
  Relay relay(static_config());
  Client client(relay, "198.51.100.7:51820", "a", "pa", "example.org");
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_EQ(client.bind(0x4000, "192.0.2.33:1"), 0);
  ASSERT_EQ(client.bind(0x4001, "192.0.3.33:1"), 0);
  ASSERT_EQ(client.permit({"192.0.2.44:0"}), 0);
  relay.host.effects.clear();

  relay.server.set_peer_rules({.refuse_private = true, .deny = {*Prefix::parse("192.0.2.0/24")}});
  EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"withdraw 4000 192.0.2.33:1"}));
  EXPECT_EQ(client.to_peer(0x4000, "x"), "dropped");
  EXPECT_NE(client.to_peer(0x4001, "x"), "dropped");
  EXPECT_EQ(from_peer(relay, client.port(), "192.0.2.44:9"), "dropped");
  EXPECT_EQ(relay.server.gauges().permissions, 1u);
  EXPECT_EQ(client.bind(0x4000, "192.0.2.33:1"), 403);
  EXPECT_EQ(client.bind(0x4000, "192.0.3.34:1"), 0) << "no cool-down";
  EXPECT_EQ(client.bind(0x4002, "203.0.113.10:22"), 403) << "the relay's own addresses stay in the rules";
  relay.expect_consistent();
}

}  // namespace
}  // namespace fireline::relay
