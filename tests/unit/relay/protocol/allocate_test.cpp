// Relay specification 1.7: Allocate, the families, ports and users.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

std::string user(int number) {
  return "4102444800:user-" + std::to_string(number);
}

// A client with credentials of its own.
Client client_of(Relay& relay, int number) {
  const std::string name = user(number);
  return Client(relay, "198.51.100.7:" + std::to_string(10000 + number), name,
                FirezoneCredentials(kSecret).password(name)->view());
}

struct FamilyRow {
  std::string_view rule;
  std::string_view relay;       // "4", "6", "46"
  std::string_view requested;   // "", "4", "6"
  std::string_view additional;  // "", "4", "6"
  Code code;
  std::string_view relayed;  // families in order
};
const FamilyRow kFamilies[] = {
    {"both attributes", "46", "4", "6", 400, ""},
    {"both attributes, same family", "46", "6", "6", 400, ""},
    {"additional IPv4", "46", "", "4", 400, ""},
    {"additional IPv4 on an IPv6 relay", "6", "", "4", 400, ""},
    {"additional IPv4 with requested", "4", "4", "4", 400, ""},
    {"default on a dual relay", "46", "", "", 0, "4"},
    {"default on an IPv4 relay", "4", "", "", 0, "4"},
    {"IPv4 on a dual relay", "46", "4", "", 0, "4"},
    {"IPv4 on an IPv4 relay", "4", "4", "", 0, "4"},
    {"IPv6 on a dual relay", "46", "6", "", 0, "6"},
    {"IPv6 on an IPv6 relay", "6", "6", "", 0, "6"},
    {"additional IPv6 on a dual relay", "46", "", "6", 0, "46"},
    {"additional IPv6 on an IPv4 relay", "4", "", "6", 0, "4"},
    {"additional IPv6 on an IPv6 relay", "6", "", "6", 0, "6"},
    {"default on an IPv6 relay", "6", "", "", 440, ""},
    {"IPv4 on an IPv6 relay", "6", "4", "", 440, ""},
    {"IPv6 on an IPv4 relay", "4", "6", "", 440, ""},
};

Family family_of(std::string_view digit) {
  return digit == "4" ? Family::v4 : Family::v6;
}

TEST(Allocate, FamiliesFollowTheTable) {
  for (const FamilyRow& row : kFamilies) {
    SCOPED_TRACE(row.rule);
    ServerConfig config = firezone_config();
    if (!row.relay.contains('4')) config.public_ip4.reset();
    if (!row.relay.contains('6')) config.public_ip6.reset();
    Relay relay(config);
    Client client(relay, "198.51.100.7:51820");
    const Code code = client.allocate([&](stun::MessageWriter& writer) {
      using stun::Attribute;
      if (!row.requested.empty()) writer.add_family(Attribute::requested_address_family, family_of(row.requested));
      if (!row.additional.empty()) writer.add_family(Attribute::additional_address_family, family_of(row.additional));
    });
    ASSERT_EQ(code, row.code);
    ASSERT_EQ(client.last.integrity, stun::Check::good);
    std::string relayed;
    for (const Endpoint& address : client.last.relayed) {
      relayed += address.address.is_v4() ? '4' : '6';
      EXPECT_EQ(address.port, client.port()) << "one port for both";
      EXPECT_EQ(address.address, address.address.is_v4() ? *config.public_ip4 : *config.public_ip6);
    }
    EXPECT_EQ(relayed, row.relayed);
    if (code == 0) {
      EXPECT_EQ(client.last.mapped, client.endpoint);
      EXPECT_TRUE(std::ranges::count(relay.host.effects,
                                     "open " + std::to_string(client.port()) + " " + std::string(row.relayed)) == 1);
    }
    relay.expect_consistent();
  }
}

struct LifetimeRow {
  std::string_view rule;
  std::optional<std::uint32_t> asked;
  std::uint32_t granted;
};
const LifetimeRow kLifetimes[] = {
    {"none asked", std::nullopt, 600}, {"short ones are granted", 1, 1},  {"at the bound", 3600, 3600},
    {"above the bound", 3601, 3600},   {"the largest", UINT32_MAX, 3600}, {"0 is taken literally", 0, 0},
};

TEST(Allocate, LifetimesAreGrantedAndKept) {
  for (const LifetimeRow& row : kLifetimes) {
    SCOPED_TRACE(row.rule);
    Relay relay;
    Client client(relay, "198.51.100.7:51820");
    ASSERT_EQ(client.allocate([&](stun::MessageWriter& writer) {
      if (row.asked) writer.add_u32(stun::Attribute::lifetime, *row.asked);
    }),
              0);
    EXPECT_EQ(client.last.lifetime, row.granted);
    ASSERT_EQ(relay.server.poll_timeout(), relay.now.boot + std::chrono::seconds(row.granted));
    if (row.granted > 0) {
      relay.advance(std::chrono::seconds(row.granted) - 1ns);
      EXPECT_EQ(relay.server.gauges().allocations, 1u);
      relay.advance(1ns);
    } else {
      relay.advance(0s);
    }
    EXPECT_EQ(relay.server.gauges().allocations, 0u);
    EXPECT_EQ(relay.count(ServerCounter::allocations_expired), 1u);
    EXPECT_FALSE(relay.server.poll_timeout().has_value());
    relay.expect_consistent();
  }
}

TEST(Allocate, ChecksComeInTheirOrder) {
  const auto tcp_of_both_families = [](stun::MessageWriter& writer) {
    writer.add_transport(stun::kTransportTcp);
    writer.add_family(stun::Attribute::requested_address_family, Family::v4);
    writer.add_family(stun::Attribute::additional_address_family, Family::v6);
  };
  ServerConfig config = firezone_config();
  config.lowest_port = config.highest_port = 50000;
  Relay relay(config);
  Client first = client_of(relay, 1);
  Client second = client_of(relay, 2);
  ASSERT_EQ(second.ask_twice(stun::Method::allocate, tcp_of_both_families), 400) << "transport, then families";
  ASSERT_EQ(first.allocate(), 0);
  EXPECT_EQ(first.ask(stun::Method::allocate, tcp_of_both_families), 437) << "an allocation comes before the ports";
  EXPECT_EQ(second.ask(stun::Method::allocate, tcp_of_both_families), 508) << "ports come before the transport";
}

TEST(Allocate, ARetransmittedRequestIsAnswered437) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  ASSERT_EQ(client.allocate(), 0);
  EXPECT_EQ(client.allocate(), 437);
  EXPECT_EQ(client.last.integrity, stun::Check::good);
  ASSERT_EQ(client.refresh(0), 0);
  EXPECT_EQ(client.allocate(), 0);
}

TEST(Allocate, ARangeOfTwoPortsServesTwoClientsAndThenOthersAgain) {
  ServerConfig config = firezone_config();
  config.lowest_port = 50000;
  config.highest_port = 50001;
  Relay relay(config);
  Client first = client_of(relay, 1);
  Client second = client_of(relay, 2);
  Client third = client_of(relay, 3);
  ASSERT_EQ(first.allocate(), 0);
  ASSERT_EQ(second.allocate(), 0);
  EXPECT_NE(first.port(), second.port());
  EXPECT_EQ(third.allocate(), 508);
  EXPECT_EQ(third.last.integrity, stun::Check::good);
  EXPECT_EQ(relay.count(ServerCounter::limit_allocations), 1u);
  ASSERT_EQ(second.refresh(0), 0);
  ASSERT_EQ(third.allocate(), 0);
  EXPECT_EQ(third.port(), second.port());
}

TEST(Allocate, TheWholeRangeOfSixteenBitsIsOne) {
  ServerConfig config = firezone_config();
  config.lowest_port = 0;
  config.highest_port = 65535;
  config.listen_port = 3478;
  Relay relay(config);
  Client client(relay, "198.51.100.7:51820");
  EXPECT_EQ(client.allocate(), 0);
}

TEST(Allocate, ThePortIsBoundBeforeTheAnswer) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  ASSERT_EQ(client.allocate(), 0);
  const std::string port = std::to_string(client.port());
  EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"answer", "open " + port + " 46", "answer"}));
}

TEST(Allocate, APortThatCannotBeBoundIsPassedOverForGood) {
  ServerConfig config = firezone_config();
  config.lowest_port = 50000;
  config.highest_port = 50001;
  Relay relay(config);
  relay.host.refused_ports = {50000};
  for (int round = 0; round < 8; ++round) {
    Client client = client_of(relay, round);
    ASSERT_EQ(client.allocate(), 0);
    EXPECT_EQ(client.port(), 50001);
    ASSERT_EQ(client.refresh(0), 0);
  }
  EXPECT_LE(relay.server.gauges().unusable_ports, 1u);
  relay.host.refused_ports = {50000, 50001};
  Client client = client_of(relay, 99);
  EXPECT_EQ(client.allocate(), 508);
  EXPECT_EQ(relay.server.gauges().unusable_ports, 2u);
  EXPECT_EQ(relay.count(ServerCounter::ports_unusable), 2u);
  EXPECT_EQ(relay.count(ServerCounter::limit_allocations), 1u);
  EXPECT_EQ(relay.count(ServerCounter::allocations_created), 8u);
  relay.expect_consistent();
}

TEST(Allocate, AHostWithoutSocketsIsNotThePortsFault) {
  ServerConfig config = firezone_config();
  config.lowest_port = 50000;
  config.highest_port = 50001;
  Relay relay(config);
  relay.host.exhausted = true;
  Client client = client_of(relay, 1);
  EXPECT_EQ(client.allocate(), 508);
  EXPECT_EQ(client.allocate(), 508);
  EXPECT_EQ(relay.count(ServerCounter::limit_sockets), 2u);
  EXPECT_EQ(relay.count(ServerCounter::limit_allocations), 0u) << "a refusal has one reason";
  EXPECT_EQ(relay.server.gauges().unusable_ports, 0u);
  relay.host.exhausted = false;
  for (int round = 0; round < 2; ++round) {
    Client another = client_of(relay, 2 + round);
    EXPECT_EQ(another.allocate(), 0) << "both ports are still there";
  }
  relay.expect_consistent();
}

TEST(Allocate, PortsAreDrawnFromTheWholeRange) {
  ServerConfig config = firezone_config();
  config.lowest_port = 50000;
  config.highest_port = 50015;
  Relay relay(config);
  std::set<std::uint16_t> first_ports;
  for (int round = 0; round < 400; ++round) {
    Client client = client_of(relay, round);
    ASSERT_EQ(client.allocate(), 0);
    relay.advance(1s);  // first requests of one address are answered at a bounded rate
    first_ports.insert(client.port());
    ASSERT_EQ(client.refresh(0), 0);
  }
  EXPECT_EQ(first_ports.size(), 16u);
}

TEST(Allocate, TheLimitOfAllocationsIsTheOperators) {
  ServerConfig config = firezone_config();
  config.limits.allocations = 2;
  Relay relay(config);
  Client first = client_of(relay, 1);
  Client second = client_of(relay, 2);
  Client third = client_of(relay, 3);
  ASSERT_EQ(first.allocate(), 0);
  ASSERT_EQ(second.allocate(), 0);
  EXPECT_EQ(third.allocate(), 508);
  EXPECT_EQ(relay.count(ServerCounter::limit_allocations), 1u);
}

TEST(Allocate, TheSameUsernameFromAnotherSocketReplacesItsAllocation) {
  Relay relay;
  Client first(relay, "198.51.100.7:51820");
  ASSERT_EQ(first.allocate(), 0);
  ASSERT_EQ(first.bind(0x4000, "192.0.2.33:1"), 0);
  const std::string old_port = std::to_string(first.port());
  relay.host.effects.clear();

  Client second(relay, "198.51.100.7:51821");
  ASSERT_EQ(second.allocate(), 0);
  EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"answer", "withdraw 4000 192.0.2.33:1", "close " + old_port,
                                                          "open " + std::to_string(second.port()) + " 46", "answer"}));
  EXPECT_EQ(relay.count(ServerCounter::allocations_replaced), 1u);
  EXPECT_EQ(relay.server.gauges().allocations, 1u);
  EXPECT_EQ(first.refresh(), 437);
}

TEST(Allocate, NothingIsReplacedBeforeAllChecksHavePassed) {
  ServerConfig config = firezone_config();
  config.lowest_port = config.highest_port = 50000;
  Relay relay(config);
  Client first(relay, "198.51.100.7:51820");
  ASSERT_EQ(first.allocate(), 0);
  Client second(relay, "198.51.100.7:51821");
  EXPECT_EQ(second.allocate(), 508) << "the capacity check comes before the replacement";
  EXPECT_EQ(first.refresh(), 0);
}

TEST(Allocate, AUserOfAListHasSeveralUpToALimit) {
  ServerConfig config = static_config();
  config.limits.allocations_per_user = 2;
  Relay relay(config);
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(relay, "198.51.100.7:" + std::to_string(1000 + i), "a", "pa", "example.org");
  }
  EXPECT_EQ(clients[0].allocate(), 0);
  EXPECT_EQ(clients[1].allocate(), 0);
  EXPECT_EQ(clients[2].allocate(), 486);
  EXPECT_EQ(relay.count(ServerCounter::limit_user_allocations), 1u);
  Client other(relay, "198.51.100.8:1", "b", "pb", "example.org");
  EXPECT_EQ(other.allocate(), 0);
  ASSERT_EQ(clients[0].refresh(0), 0);
  EXPECT_EQ(clients[2].allocate(), 0);
}

}  // namespace
}  // namespace fireline::relay
