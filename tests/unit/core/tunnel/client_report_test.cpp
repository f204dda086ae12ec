#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/tunnel/tun_offer.h"
#include "tests/unit/core/tunnel/client_fixture.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Le;
using testing::Matches;
using testing::Not;
using testing::Optional;

// The events themselves, in their order.
std::vector<std::size_t> kinds(const std::vector<ClientEvent>& events) {
  std::vector<std::size_t> all;
  for (const ClientEvent& event : events) all.push_back(event.index());
  return all;
}

portal::ConfigChanged with_interface(const std::function<void(portal::Interface&)>& change) {
  portal::ConfigChanged message{own_interface()};
  change(message.interface);
  return message;
}

TEST(ClientReport, TheTunsChangeComesFirstAndTheListLast) {
  ClientFixture fixture;
  fixture.init({cidr(1, "10.0.0.0/8")});
  EXPECT_THAT(kinds(fixture.events),
              ElementsAre(ClientEvent(TunChanged{}).index(), ClientEvent(ResourcesChanged{}).index()));
  const auto tun = fixture.client->take_tun_configuration();
  ASSERT_TRUE(tun);
  EXPECT_EQ(tun->ipv4, ip(kOwn4));
  EXPECT_EQ(tun->ipv6, ip(kOwn6));
  EXPECT_THAT(tun->routes, Contains(net("10.0.0.0/8")));
  EXPECT_THAT(tun->dns_servers, IsEmpty());
}

TEST(ClientReport, EachOfTheseAloneIsAChangeOfTheTun) {
  const struct {
    const char* rule;
    std::function<void(ClientFixture&)> act;
    bool changed;
  } kRows[] = {
      {"the IPv4 address", [](auto& f) { f.handle(with_interface([](auto& i) { i.ipv4 = ip("100.64.0.99"); })); },
       true},
      {"the IPv6 address",
       [](auto& f) { f.handle(with_interface([](auto& i) { i.ipv6 = ip("fd00:2021:1111::99"); })); }, true},
      {"the search domain",
       [](auto& f) { f.handle(with_interface([](auto& i) { i.search_domain = "corp.example"; })); }, true},
      {"a new network", [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(2, "11.0.0.0/8")}); }, true},
      {"a network less", [](auto& f) { f.handle(portal::ResourceDeleted{uuid(1)}); }, true},
      {"another network of the same resource",
       [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/9")}); }, true},
      {"the Internet switched on", [](auto& f) { f.client->set_internet_enabled(f.now, true, f.output); }, true},
      {"the same again", [](auto& f) { f.init({cidr(1, "10.0.0.0/8"), internet(9)}); }, false},
      {"the same interface again", [](auto& f) { f.handle(with_interface([](auto&) {})); }, false},
      {"a second resource with the same network",
       [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(2, "10.0.0.0/8")}); }, false},
      {"a name", [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{dns(3, "*.example")}); }, false},
      {"there and back before anybody looked",
       [](auto& f) {
         f.client->handle(f.now, portal::ResourceDeleted{uuid(1)}, f.output);
         f.client->handle(f.now, portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/8")}, f.output);
       },
       false},
      {"a reset", [](auto& f) { f.reset(); }, false},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture;
    fixture.init({cidr(1, "10.0.0.0/8"), internet(9)});
    const auto before = fixture.client->take_tun_configuration();
    fixture.events.clear();
    row.act(fixture);
    fixture.advance(kRouteLossPatience);
    fixture.handle_timeout();
    while (auto event = fixture.client->poll_event()) fixture.events.push_back(std::move(*event));
    EXPECT_EQ(fixture.take<TunChanged>().size(), row.changed ? 1u : 0u);
    const auto after = fixture.client->take_tun_configuration();
    EXPECT_EQ(after.has_value(), row.changed);
    if (after) {
      EXPECT_NE(after, before);
    }
  }
}

// A portal moves a resource by deleting it and creating it again, in two messages.
TEST(ClientReport, ARouteIsNotTakenAwayWhileItsResourceMoves) {
  ClientFixture fixture;
  fixture.init({cidr(1, "10.0.0.0/8"), cidr(2, "11.0.0.0/8")});
  static_cast<void>(fixture.client->take_tun_configuration());
  fixture.events.clear();
  fixture.handle(portal::ResourceDeleted{uuid(1)});
  EXPECT_THAT(fixture.take<TunChanged>(), IsEmpty());
  EXPECT_EQ(fixture.client->take_tun_configuration(), std::nullopt);
  fixture.advance(kRouteLossPatience - 1ms);
  fixture.handle_timeout();
  EXPECT_THAT(fixture.take<TunChanged>(), IsEmpty());
  fixture.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/8")});
  fixture.advance(10s);
  fixture.handle_timeout();
  EXPECT_THAT(fixture.take<TunChanged>(), IsEmpty()) << "nothing differs";

  fixture.handle(portal::ResourceDeleted{uuid(1)});
  EXPECT_THAT(fixture.client->poll_timeout(), Optional(Le(fixture.now.boot + kRouteLossPatience)));
  fixture.advance(kRouteLossPatience);
  fixture.handle_timeout();
  EXPECT_EQ(fixture.take<TunChanged>().size(), 1u) << "it still holds";
  EXPECT_THAT(fixture.client->take_tun_configuration()->routes, Not(Contains(net("10.0.0.0/8"))));
}

TEST(ClientReport, WhatComesWhileALossWaits) {
  const struct {
    const char* rule;
    portal::PortalToClient message;
    bool at_once;        // what is new is offered,
    bool with_lost;      // the lost route beside it,
    bool after_a_while;  // without which another offer comes
  } kRows[] = {
      {"another network takes its place", portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/9")}, true, true, true},
      {"another address", with_interface([](auto& i) { i.ipv4 = ip("100.64.0.99"); }), true, false, false},
      {"one more loss", portal::ResourceDeleted{uuid(2)}, false, false, true},
      {"nothing new", with_interface([](auto&) {}), false, false, true},
  };
  const auto has_lost = Contains(net("10.0.0.0/8"));
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture;
    fixture.init({cidr(1, "10.0.0.0/8"), cidr(2, "11.0.0.0/8")});
    static_cast<void>(fixture.client->take_tun_configuration());
    fixture.events.clear();
    fixture.handle(portal::ResourceDeleted{uuid(1)});
    fixture.advance(kRouteLossPatience / 2);
    fixture.handle(row.message);
    EXPECT_EQ(fixture.take<TunChanged>().size(), row.at_once ? 1u : 0u);
    const auto first = fixture.client->take_tun_configuration();
    ASSERT_EQ(first.has_value(), row.at_once);
    if (first) {
      EXPECT_EQ(Matches(has_lost)(first->routes), row.with_lost);
    }
    fixture.advance(kRouteLossPatience);
    fixture.handle_timeout();
    EXPECT_EQ(fixture.take<TunChanged>().size(), row.after_a_while ? 1u : 0u);
    const auto last = fixture.client->take_tun_configuration();
    ASSERT_EQ(last.has_value(), row.after_a_while);
    if (last) {
      EXPECT_THAT(last->routes, Not(has_lost));
    }
  }
}

// The same in one message: what is sent to the old network meanwhile would leave unencrypted.
TEST(ClientReport, ARouteThatIsReplacedStaysBesideTheNewOne) {
  ClientFixture fixture;
  fixture.init({cidr(1, "10.0.0.0/8")});
  static_cast<void>(fixture.client->take_tun_configuration());
  fixture.events.clear();
  fixture.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/9")});
  const auto both = fixture.client->take_tun_configuration();
  ASSERT_TRUE(both);
  EXPECT_THAT(both->routes, AllOf(Contains(net("10.0.0.0/8")), Contains(net("10.0.0.0/9"))));
  EXPECT_TRUE(std::ranges::is_sorted(both->routes));
  fixture.advance(kRouteLossPatience);
  fixture.handle_timeout();
  const auto last = fixture.client->take_tun_configuration();
  ASSERT_TRUE(last);
  EXPECT_THAT(last->routes, AllOf(Not(Contains(net("10.0.0.0/8"))), Contains(net("10.0.0.0/9"))));
}

TEST(ClientReport, ABurstOfChangesIsOne) {
  ClientFixture fixture;
  fixture.init({});
  static_cast<void>(fixture.client->take_tun_configuration());
  static_cast<void>(fixture.client->take_resource_list());
  fixture.events.clear();
  for (std::uint8_t i = 1; i < 200; ++i) {
    fixture.handle(portal::ResourceCreatedOrUpdated{cidr(i, "10." + std::to_string(i) + ".0.0/16")});
  }
  EXPECT_EQ(fixture.take<TunChanged>().size(), 1u);
  EXPECT_EQ(fixture.take<ResourcesChanged>().size(), 1u);
  EXPECT_EQ(fixture.client->take_tun_configuration()->routes.size(), 6u + 199u);
  EXPECT_EQ(fixture.client->take_resource_list()->size(), 199u);
}

TEST(ClientReport, TheListsOrder) {
  ClientFixture fixture;
  auto b = cidr(1, "10.0.0.0/8");
  auto a = dns(5, "*.example");
  auto a2 = cidr(4, "11.0.0.0/8");
  b.name = "b";
  a.name = a2.name = "a";
  fixture.init({b, a, a2, internet(9)});
  const auto list = fixture.client->take_resource_list();
  ASSERT_TRUE(list);
  std::vector<Uuid> ids;
  for (const ResourceView& one : *list) ids.push_back(one.id);
  EXPECT_THAT(ids, ElementsAre(uuid(9), uuid(4), uuid(5), uuid(1))) << "the Internet, then by name, then by id";
  EXPECT_EQ(list->at(1).address, "11.0.0.0/8");
  EXPECT_EQ(list->at(2).address, "*.example");
  EXPECT_FALSE(list->at(0).enabled) << "the Internet is switched off";
}

TEST(ClientReport, WhatChangesTheList) {
  const auto changed = [](const std::function<void(policy::ClientResource&)>& change) {
    auto resource = cidr(1, "10.0.0.0/8");
    change(resource);
    return portal::ResourceCreatedOrUpdated{resource};
  };
  const struct {
    const char* rule;
    portal::PortalToClient message;
    bool expected;
  } kRows[] = {
      {"the same again", changed([](auto&) {}), false},
      {"a name", changed([](auto& r) { r.name = "new"; }), true},
      {"a description", changed([](auto& r) { r.description = "new"; }), true},
      {"a site's name", changed([](auto& r) { r.sites[0].name = "new"; }), true},
      {"a resource less", portal::ResourceDeleted{uuid(1)}, true},
      {"a resource more", portal::ResourceCreatedOrUpdated{cidr(2, "11.0.0.0/8")}, true},
      {"an unknown resource less", portal::ResourceDeleted{uuid(3)}, false},
      {"its status", failure(uuid(1), portal::FlowFailure::offline), true},
      {"a refusal that says nothing of the site", failure(uuid(1), portal::FlowFailure::forbidden), false},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture;
    fixture.init({cidr(1, "10.0.0.0/8")});
    static_cast<void>(fixture.client->take_resource_list());
    fixture.events.clear();
    fixture.handle(row.message);
    EXPECT_EQ(fixture.take<ResourcesChanged>().size(), row.expected ? 1u : 0u);
    EXPECT_EQ(fixture.client->take_resource_list().has_value(), row.expected);
  }
}

TEST(ClientReport, StatusNamesWhoHasWhat) {
  ClientFixture fixture;
  fixture.init({cidr(1, "10.0.0.0/8"), cidr(2, "172.16.0.0/12", {1, 2})});
  fixture.connect(uuid(1), "10.0.0.1", 1);
  fixture.send(fixture.udp("172.16.0.1"));
  const ClientStatus status = fixture.client->status();
  ASSERT_EQ(status.flows.size(), 2u);
  EXPECT_EQ(status.flows[0].gateway, gateway_id(1));
  EXPECT_FALSE(status.flows[0].requested);
  EXPECT_TRUE(status.flows[1].requested);
  EXPECT_EQ(status.flows[1].pending_packets, 1u);
  EXPECT_EQ(status.pending_bytes, 68u);
  ASSERT_EQ(status.gateways.size(), 1u);
  EXPECT_EQ(status.gateways[0].resources, 1u);
  EXPECT_FALSE(status.gateways[0].established);
  ASSERT_EQ(status.sites.size(), 2u) << "each site once";
  EXPECT_EQ(status.sites[0].id, site_id(1));
}

TEST(ClientReport, EventsThatNobodyFetchesAreBounded) {
  ClientFixture fixture;
  fixture.init({cidr(1, "10.0.0.0/8")});
  for (std::size_t i = 0; i < kClientEventsMax + 10; ++i) {
    fixture.client->handle(fixture.now, failure(uuid(1), portal::FlowFailure::forbidden), fixture.output);
  }
  EXPECT_EQ(fixture.count(ClientCounter::lost_events), 10u);
}

}  // namespace
}  // namespace fireline::tunnel
