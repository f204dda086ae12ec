// Clients of a gateway and their grants, without packets: tunnel specification 5.1.
#include "core/tunnel/client_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/core/tunnel/gateway_world.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using enum GatewayCounter;

const policy::GatewayResource kNet = network_behind(1, "10.0.0.0/8");
const policy::GatewayResource kOther = network_behind(2, "172.16.0.0/12");
constexpr portal::Timestamp kEnd = 1000;

UnixTime at(portal::Timestamp seconds) {
  return UnixTime(std::chrono::seconds(seconds));
}

Uuid client_id(std::uint8_t number) {
  return uuid(number, 0xC1);
}

portal::AuthorizeFlow flow(std::uint8_t client, const policy::GatewayResource& resource,
                           std::optional<portal::Timestamp> expires_at = std::nullopt) {
  portal::AuthorizeFlow message;
  message.resource = resource;
  message.client = client_id(client);
  message.client_key = crypto::public_key(crypto::seeded_key(client));
  message.client_ipv4 = ip(GatewayWorld::own4(client));
  message.client_ipv6 = ip(GatewayWorld::own6(client));
  message.expires_at = expires_at;
  return message;
}

class ClientTableTest : public testing::Test {
 protected:
  std::size_t grants(std::uint8_t client) const {
    const GatewayClient* found = table.find(client_id(client));
    return found == nullptr ? 0 : found->access.size();
  }
  std::vector<GrantEnd> ends() {
    std::vector<GrantEnd> reasons;
    for (const ClientGone& one : table.take_gone()) reasons.push_back(one.reason);
    return reasons;
  }

  Counters<GatewayCounter> counters;
  ClientTable table{counters};
};

TEST_F(ClientTableTest, FindsByIdKeyAndEitherAddress) {
  table.grant(flow(10, kNet));
  const GatewayClient* client = table.find(client_id(10));
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(table.find(crypto::public_key(crypto::seeded_key(10))), client);
  EXPECT_EQ(table.find(ip("100.64.0.10")), client);
  EXPECT_EQ(table.find(ip("fd00:2021:1111::a")), client);
  EXPECT_EQ(table.find(ip("fd00:2021:1111::0a")), client);
  EXPECT_EQ(table.find(ip("100.64.0.11")), nullptr);
}

TEST_F(ClientTableTest, AClientThatComesBackWithAnotherKeyKeepsItsGrants) {
  table.grant(flow(10, kNet));
  portal::AuthorizeFlow again = flow(10, kOther);
  again.client_key = crypto::public_key(crypto::seeded_key(99));
  again.client_ipv4 = ip("100.64.0.77");
  table.grant(again);
  EXPECT_EQ(grants(10), 2u);
  EXPECT_EQ(table.find(crypto::public_key(crypto::seeded_key(10))), nullptr);
  EXPECT_EQ(table.find(ip("100.64.0.10")), nullptr);
  EXPECT_NE(table.find(ip("100.64.0.77")), nullptr);
  EXPECT_THAT(ends(), IsEmpty());
}

TEST_F(ClientTableTest, WhoHasAnothersKeyOrAddressTakesItsPlace) {
  const struct {
    const char* rule;
    void (*steal)(portal::AuthorizeFlow&);
  } kRows[] = {
      {"the key", [](portal::AuthorizeFlow& f) { f.client_key = crypto::public_key(crypto::seeded_key(10)); }},
      {"the IPv4 address", [](portal::AuthorizeFlow& f) { f.client_ipv4 = ip("100.64.0.10"); }},
      {"the IPv6 address", [](portal::AuthorizeFlow& f) { f.client_ipv6 = ip("fd00:2021:1111::a"); }},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientTable fresh(counters);
    fresh.grant(flow(10, kNet));
    portal::AuthorizeFlow thief = flow(11, kNet);
    row.steal(thief);
    fresh.grant(thief);
    EXPECT_EQ(fresh.find(client_id(10)), nullptr);
    EXPECT_EQ(fresh.size(), 1u);
    const auto gone = fresh.take_gone();
    ASSERT_THAT(gone, SizeIs(1));
    EXPECT_EQ(gone[0].reason, GrantEnd::displaced);
    EXPECT_EQ(fresh.find(thief.client_key), fresh.find(client_id(11)));
  }
}

TEST_F(ClientTableTest, WhatCannotBeGranted) {
  table.grant(flow(10, kNet));
  EXPECT_EQ(table.refusal(flow(10, kNet)), std::nullopt);
  portal::AuthorizeFlow bad = flow(11, kNet);
  bad.client_ipv6 = ip("2001:db8::1");
  EXPECT_EQ(table.refusal(bad), GrantOutcome::bad_request);
  EXPECT_EQ(table.refusal(flow(10, internet_behind(1))), GrantOutcome::kind_changed);
  EXPECT_EQ(table.refusal(flow(11, internet_behind(1))), std::nullopt) << "another client may";
}

TEST_F(ClientTableTest, ALimitOfGrantsIsOfOneClient) {
  policy::GatewayResource one = kNet;
  one.kind = policy::ResourceKind::dns;  // gives access to nothing: no filters to put together
  for (std::size_t i = 0; i < kGrantsMax; ++i) {
    one.id.bytes[4] = static_cast<std::uint8_t>(i >> 8);
    one.id.bytes[5] = static_cast<std::uint8_t>(i);
    ASSERT_EQ(table.refusal(flow(10, one)), std::nullopt);
    table.grant(flow(10, one));
  }
  EXPECT_EQ(table.refusal(flow(10, kOther)), GrantOutcome::no_room);
  EXPECT_EQ(table.refusal(flow(10, one)), std::nullopt) << "what it holds may be renewed";
  EXPECT_EQ(table.refusal(flow(11, kOther)), std::nullopt);
}

TEST_F(ClientTableTest, TheLastGrantTakesTheClientWithIt) {
  table.grant(flow(10, kNet));
  table.grant(flow(10, kOther));
  table.reject({.client = client_id(10), .resource = kNet.id});
  EXPECT_EQ(grants(10), 1u);
  EXPECT_THAT(ends(), IsEmpty());
  table.reject({.client = client_id(10), .resource = kNet.id});
  table.reject({.client = client_id(99), .resource = kNet.id});
  EXPECT_EQ(counters.get(rejected), 1u) << "what was not held is nothing";
  table.reject({.client = client_id(10), .resource = kOther.id});
  EXPECT_EQ(table.size(), 0u);
  EXPECT_THAT(ends(), ElementsAre(GrantEnd::rejected));
  EXPECT_EQ(counters.get(clients_gone), 1u);
}

TEST_F(ClientTableTest, ExpiryIsExactAndOfEachGrant) {
  table.grant(flow(10, kNet, kEnd));
  table.grant(flow(10, kOther, kEnd + 10));
  table.grant(flow(11, kNet));
  EXPECT_TRUE(table.may_expire());
  table.expire(at(kEnd) - Duration(1));
  EXPECT_EQ(grants(10), 2u);
  table.expire(at(kEnd));
  EXPECT_EQ(grants(10), 1u);
  EXPECT_EQ(counters.get(expired), 1u);
  table.expire(at(kEnd + 10));
  EXPECT_EQ(grants(10), 0u);
  EXPECT_THAT(ends(), ElementsAre(GrantEnd::expired));
  EXPECT_EQ(grants(11), 1u);
  table.expire(at(kEnd + 11));
  EXPECT_FALSE(table.may_expire()) << "what is left never does";
}

TEST_F(ClientTableTest, ExpiriesThatNoClockReaches) {
  for (const portal::Timestamp never : {std::numeric_limits<portal::Timestamp>::max(), portal::Timestamp{1} << 40}) {
    ClientTable fresh(counters);
    fresh.grant(flow(10, kNet, never));
    fresh.expire(at(4'000'000'000));
    EXPECT_EQ(fresh.size(), 1u) << never;
  }
  for (const portal::Timestamp past : {std::numeric_limits<portal::Timestamp>::min(), portal::Timestamp{-1}}) {
    ClientTable fresh(counters);
    fresh.grant(flow(10, kNet, past));
    fresh.expire(at(0));
    EXPECT_EQ(fresh.size(), 0u) << past;
  }
}

TEST_F(ClientTableTest, AnotherGrantOfTheSameTakesEverythingOver) {
  table.grant(flow(10, kNet, kEnd));
  policy::GatewayResource moved = kOther;
  moved.id = kNet.id;
  table.grant(flow(10, moved));
  EXPECT_EQ(grants(10), 1u);
  EXPECT_EQ(counters.get(granted_again), 1u);
  table.expire(at(kEnd));
  EXPECT_EQ(grants(10), 1u);
  const GatewayClient* client = table.find(client_id(10));
  EXPECT_EQ(client->access.classify(ip("172.16.0.1").bytes(), 6, 80, {}), Access::granted);
  EXPECT_EQ(client->access.classify(ip("10.0.0.1").bytes(), 6, 80, {}), Access::not_granted);
}

TEST_F(ClientTableTest, AListKeepsWhatItNames) {
  table.grant(flow(10, kNet));
  table.grant(flow(10, kOther));
  table.grant(flow(11, kNet, kEnd));
  const std::vector<portal::Authorization> list{{client_id(10), kNet.id, kEnd},
                                                {client_id(10), kNet.id, kEnd + 50},
                                                {client_id(10), kNet.id, kEnd + 20},
                                                {client_id(12), kNet.id, kEnd}};
  table.retain(list);
  EXPECT_EQ(grants(10), 1u);
  EXPECT_EQ(grants(11), 0u) << "a client that is not named at all";
  EXPECT_EQ(grants(12), 0u) << "a list grants nothing";
  EXPECT_EQ(counters.get(not_listed), 2u);
  EXPECT_THAT(ends(), ElementsAre(GrantEnd::not_listed));
  table.expire(at(kEnd + 49));
  EXPECT_EQ(grants(10), 1u) << "the longest of several lines";
  table.expire(at(kEnd + 50));
  EXPECT_EQ(grants(10), 0u);
}

TEST_F(ClientTableTest, FiltersChangeForAllAndAKindForNobody) {
  table.grant(flow(10, kNet));
  table.grant(flow(11, internet_behind(1)));
  policy::GatewayResource filtered = kNet;
  filtered.filters.filters = {{.protocol = policy::FilterProtocol::udp}};
  std::vector<Uuid> other_kind;
  table.update_resource(filtered, other_kind);
  EXPECT_THAT(other_kind, ElementsAre(client_id(11)));
  const auto classify = [&] { return table.find(client_id(10))->access.classify(ip("10.0.0.1").bytes(), 6, 80, {}); };
  EXPECT_EQ(classify(), Access::filtered);
  filtered.network = kOther.network;
  filtered.filters = {};
  table.update_resource(filtered, other_kind);
  EXPECT_EQ(classify(), Access::granted) << "filters alone; the network is the grant's";
}

TEST_F(ClientTableTest, EveryChangeMakesEarlierVerdictsVoid) {
  std::uint64_t before = table.version();
  const auto changed = [&] { return std::exchange(before, table.version()) != before; };
  table.grant(flow(10, kNet, kEnd));
  EXPECT_TRUE(changed());
  table.update_expiry({client_id(10), kNet.id, kEnd + 1});
  EXPECT_TRUE(changed());
  std::vector<Uuid> other_kind;
  table.update_resource(kNet, other_kind);
  EXPECT_TRUE(changed());
  table.set_connected(client_id(10), false);
  EXPECT_TRUE(changed());
  table.retain({});
  EXPECT_TRUE(changed());
  table.grant(flow(10, kNet));
  EXPECT_TRUE(changed());
  table.forget(client_id(10));
  EXPECT_TRUE(changed());
}

}  // namespace
}  // namespace fireline::tunnel
