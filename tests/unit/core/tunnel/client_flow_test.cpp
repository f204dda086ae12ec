#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/core/tunnel/client_fixture.h"

namespace fireline::tunnel {
namespace {

using namespace test;
using enum ClientCounter;
using enum FlowOutcome;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string kTo = "10.0.0.1";
const std::string kToOther = "172.16.0.1";
const Uuid kResource = uuid(1);  // 10.0.0.0/8
const Uuid kOther = uuid(2);     // 172.16.0.0/12

std::vector<policy::ClientResource> two() {
  return {cidr(1, "10.0.0.0/8"), cidr(2, "172.16.0.0/12")};
}

ClientCounter counter_of(FlowOutcome outcome) {
  static const std::map<FlowOutcome, ClientCounter> kCounters{
      {created, flows_created},       {moved, flows_moved},         {unknown_resource, flows_unknown_resource},
      {not_wanted, flows_not_wanted}, {no_relays, flows_no_relays}, {bad_answer, flows_bad_answer}};
  const auto found = kCounters.find(outcome);
  return found == kCounters.end() ? flows_refused : found->second;
}

TEST(ClientFlow, AnswersOfThePortal) {
  const struct {
    const char* rule;
    std::function<void(ClientFixture&)> act;
    FlowOutcome outcome;
    std::optional<Uuid> gateway = {};
    std::size_t waiting = 0;
  } kRows[] = {
      {"a gateway", [](auto& f) { f.send(f.udp(kTo)), f.handle(flow(kResource, 1)); }, created, gateway_id(1)},
      {"another gateway than one that is connected",
       [](auto& f) {
         f.connect(kOther, kToOther, 1);
         f.send(f.udp(kTo)), f.handle(flow(kResource, 2));
       },
       created, gateway_id(2)},
      {"for a resource that is not there", [](auto& f) { f.handle(flow(uuid(77), 1)); }, unknown_resource},
      {"that nobody asked for", [](auto& f) { f.handle(flow(kResource, 1)); }, not_wanted},
      {"twice", [](auto& f) { f.connect(kResource, kTo, 1), f.handle(flow(kResource, 1)); }, not_wanted, gateway_id(1)},
      {"with an IPv6 address where an IPv4 one belongs",
       [](auto& f) {
         f.send(f.udp(kTo));
         auto message = flow(kResource, 1);
         message.gateway_ipv4 = message.gateway_ipv6;
         f.handle(message);
       },
       bad_answer,
       {},
       1},
      {"with ICE credentials of nothing",
       [](auto& f) {
         f.send(f.udp(kTo));
         auto message = flow(kResource, 1);
         message.client_ice.username.clear();
         f.handle(message);
       },
       bad_answer,
       {},
       1},
      {"not found: what waits stays",
       [](auto& f) { f.send(f.udp(kTo)), f.handle(failure(kResource, portal::FlowFailure::not_found)); },
       not_found,
       {},
       1},
      {"forbidden: what waits stays",
       [](auto& f) { f.send(f.udp(kTo)), f.handle(failure(kResource, portal::FlowFailure::forbidden)); },
       forbidden,
       {},
       1},
      {"a reason that nobody knows: what waits stays",
       [](auto& f) { f.send(f.udp(kTo)), f.handle(failure(kResource, portal::FlowFailure::other)); },
       refused,
       {},
       1},
      {"offline: what waits is dropped",
       [](auto& f) { f.send(f.udp(kTo)), f.handle(failure(kResource, portal::FlowFailure::offline)); }, offline},
      {"offline for a resource that is not there",
       [](auto& f) { f.handle(failure(uuid(77), portal::FlowFailure::offline)); }, unknown_resource},
      {"offline for a resource with a gateway",
       [](auto& f) { f.connect(kResource, kTo, 1), f.handle(failure(kResource, portal::FlowFailure::offline)); },
       offline},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture;
    fixture.init(two());
    row.act(fixture);
    const auto outcomes = fixture.outcomes();
    ASSERT_FALSE(outcomes.empty());
    EXPECT_EQ(outcomes.back(), row.outcome) << name_of(outcomes.back());
    const ClientCounter counter = counter_of(row.outcome);
    const auto told = std::ranges::count(outcomes, counter, counter_of);
    EXPECT_EQ(fixture.count(counter), static_cast<std::uint64_t>(told)) << "what is told is counted";
    EXPECT_EQ(fixture.gateway_of(kResource), row.gateway);
    EXPECT_EQ(fixture.pending_of(kResource), row.waiting);
  }
}

TEST(ClientFlow, AskedOnTrafficAloneAndNeverMoreThanEveryTwoSeconds) {
  ClientFixture fixture;
  fixture.init(two());
  const struct {
    Duration at;
    bool asked;
  } kRows[] = {{0s, true}, {1s, false}, {1900ms, false}, {2s, true}, {3900ms, false}, {4s, true}};
  const Now start = fixture.now;
  for (const auto& row : kRows) {
    fixture.now = start;
    fixture.advance(row.at);
    fixture.send(fixture.udp(kTo, static_cast<std::uint8_t>(row.at / 100ms)));
    EXPECT_EQ(fixture.asked().size(), row.asked ? 1u : 0u) << row.at.count();
  }
  fixture.advance(1h);
  fixture.client->handle_timeout(fixture.now, fixture.output);
  EXPECT_THAT(fixture.asked(), IsEmpty()) << "there is no timer";
  EXPECT_EQ(fixture.pending_of(kResource), 6u) << "and nobody gives up";
  fixture.send(fixture.udp(kToOther));
  EXPECT_THAT(fixture.asked(), ElementsAre(kOther)) << "no resource waits for another one's answer";
}

// Packets every 100 ms for that long: how often the portal was asked.
std::size_t asked_within(ClientFixture& fixture, Duration time, const std::function<void()>& answer = [] {}) {
  std::size_t count = 0;
  for (const Now begin = fixture.now; fixture.now.boot - begin.boot < time; fixture.advance(100ms)) {
    fixture.send(fixture.udp(kTo));
    if (fixture.asked().empty()) continue;
    ++count;
    answer();
  }
  return count;
}

TEST(ClientFlow, WhatNoPolicyPermitsIsAskedForLessAndLess) {
  const struct {
    const char* rule;
    std::function<void(ClientFixture&)> answer;
    std::size_t asked;  // in five minutes
  } kRows[] = {
      {"no answer: every two seconds", [](auto&) {}, 150},
      {"not found", [](auto& f) { f.handle(failure(kResource, portal::FlowFailure::not_found)); }, 8},
      {"forbidden", [](auto& f) { f.handle(failure(kResource, portal::FlowFailure::forbidden)); }, 8},
      {"a reason that nobody knows", [](auto& f) { f.handle(failure(kResource, portal::FlowFailure::other)); }, 8},
      {"offline: every two seconds, for a gateway may start",
       [](auto& f) { f.handle(failure(kResource, portal::FlowFailure::offline)); }, 150},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture;
    fixture.init(two());
    EXPECT_EQ(asked_within(fixture, 5min, [&] { row.answer(fixture); }), row.asked);
  }
}

TEST(ClientFlow, AChangeOfTheResourceIsAskedForSoon) {
  const struct {
    const char* rule;
    std::function<void(ClientFixture&)> change;
    std::size_t asked;  // within 4 s behind the change
  } kRows[] = {
      {"nothing changed", [](auto&) {}, 0},
      {"another resource changed",
       [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(2, "172.16.0.0/12")}); }, 0},
      {"its filters changed: the portal says so by itself",
       [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/8")}); }, 1},
      {"its address changed", [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/9")}); }, 1},
      {"it went and came back",
       [](auto& f) {
         f.handle(portal::ResourceDeleted{kResource});
         f.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/8")});
       },
       1},
      {"the portal was away", [](auto& f) { f.init(two()); }, 1},
      {"the client is in another network",
       [](auto& f) {
         f.reset();
         f.init(two());
       },
       1},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture;
    fixture.init(two());
    const auto refuse = [&] { fixture.handle(failure(kResource, portal::FlowFailure::forbidden)); };
    EXPECT_EQ(asked_within(fixture, 70s, refuse), 5u);  // 0, 4, 12, 28, 60 s: the next at 120 s
    row.change(fixture);
    static_cast<void>(fixture.asked());
    EXPECT_EQ(asked_within(fixture, 4s, refuse), row.asked);
  }
}

TEST(ClientFlow, ResourcesBeyondTheLimitAreCounted) {
  std::vector<policy::ClientResource> many(kResourcesMax + 2, cidr(1, "10.0.0.0/8"));
  for (std::size_t i = 0; i < many.size(); ++i) {
    many[i].id.bytes[1] = static_cast<std::uint8_t>(i >> 8);
    many[i].id.bytes[2] = static_cast<std::uint8_t>(i);
  }
  ClientFixture fixture;
  fixture.init(std::move(many));
  EXPECT_EQ(fixture.count(ignored_resources), 2u);
  EXPECT_EQ(fixture.client->status().resources.size(), kResourcesMax);
}

TEST(ClientFlow, AMessageThatWasNotFetchedIsNotRepeated) {
  ClientFixture fixture;
  fixture.init(two());
  fixture.events.clear();
  const auto send_unfetched = [&](std::uint8_t tag) {
    packet::TunBatch batch = wireguard::Node::tun_batch(fixture.input, {fixture.udp(kTo, tag)});
    fixture.client->plan(fixture.now, batch, *fixture.work);
    fixture.client->commit(fixture.now, *fixture.work, fixture.output);
    fixture.advance(3s);
  };
  for (std::uint8_t tag = 0; tag < 5; ++tag) send_unfetched(tag);
  fixture.send(fixture.udp(kTo, 9));
  EXPECT_EQ(fixture.asked().size(), 1u);
}

TEST(ClientFlow, TheGatewaysOfThisNetworkAreNamed) {
  ClientFixture fixture;
  fixture.init(two());
  fixture.connect(kResource, kTo, 7);
  EXPECT_THAT(fixture.take<portal::CreateFlow>().at(0).connected_gateways, IsEmpty());
  fixture.send(fixture.udp(kToOther));
  EXPECT_THAT(fixture.take<portal::CreateFlow>().at(0).connected_gateways, ElementsAre(gateway_id(7)));
  fixture.handle(flow(kOther, 3));
  fixture.handle(failure(kResource, portal::FlowFailure::offline));
  fixture.send(fixture.udp(kTo));
  EXPECT_THAT(fixture.take<portal::CreateFlow>().at(0).connected_gateways, ElementsAre(gateway_id(3), gateway_id(7)))
      << "in the order of their ids, and those that are gone as well";
  fixture.reset();
  fixture.advance(3s);
  fixture.send(fixture.udp(kTo, 1));
  EXPECT_THAT(fixture.take<portal::CreateFlow>().at(0).connected_gateways, IsEmpty()) << "another network, other ways";
}

TEST(ClientFlow, WithoutRelaysWhatWaitsStaysAndIsAskedForAgain) {
  ClientFixture fixture;
  fixture.init(two(), false);
  fixture.send(fixture.udp(kTo));
  EXPECT_THAT(fixture.asked(), ElementsAre(kResource));
  fixture.handle(flow(kResource, 1));
  EXPECT_THAT(fixture.outcomes(), ElementsAre(no_relays));
  EXPECT_EQ(fixture.count(flows_no_relays), 1u);
  EXPECT_EQ(fixture.take<RelaysWanted>().size(), 1u);
  EXPECT_EQ(fixture.pending_of(kResource), 1u);
  EXPECT_EQ(fixture.gateway_of(kResource), std::nullopt);

  fixture.init(two(), false);
  EXPECT_THAT(fixture.asked(), IsEmpty()) << "the portal has none either";
  fixture.handle(portal::RelaysPresence{.disconnected_ids = {}, .connected = fixture.relays()});
  EXPECT_THAT(fixture.asked(), ElementsAre(kResource)) << "at once, without traffic";
  const std::uint64_t before = fixture.segments_in_node();
  fixture.handle(flow(kResource, 1));
  EXPECT_THAT(fixture.outcomes(), ElementsAre(created));
  EXPECT_EQ(fixture.segments_in_node() - before, 1u) << "what waited is on its way";
}

TEST(ClientFlow, WhatWasDeletedMeanwhileIsNotAskedForAgain) {
  ClientFixture fixture;
  fixture.init(two(), false);
  fixture.send(fixture.udp(kTo));
  fixture.send(fixture.udp(kToOther));
  EXPECT_THAT(fixture.asked(), ElementsAre(kResource, kOther));
  fixture.handle(flow(kResource, 1));
  fixture.handle(flow(kOther, 1));
  fixture.handle(portal::ResourceDeleted{.resource = kResource});
  fixture.handle(portal::RelaysPresence{.disconnected_ids = {}, .connected = fixture.relays()});
  EXPECT_THAT(fixture.asked(), ElementsAre(kOther));
  EXPECT_EQ(fixture.pending_of(kResource), 0u);
}

TEST(ClientFlow, WhatWaitedGoesToTheNodeInOrder) {
  ClientFixture fixture;
  fixture.init(two());
  for (std::uint8_t tag = 0; tag < 128; ++tag) fixture.send(fixture.udp(kTo, tag));
  fixture.handle(flow(kResource, 1));
  EXPECT_EQ(fixture.segments_in_node(), 128u);
  EXPECT_EQ(fixture.count(pending_released), 128u);
  EXPECT_EQ(fixture.client->status().pending_bytes, 0u);
}

TEST(ClientFlow, WhatWaitedIsPlannedBetweenWorks) {
  ClientFixture fixture;
  fixture.init(two());
  fixture.send(fixture.udp(kTo));
  packet::TunBatch batch = wireguard::Node::tun_batch(fixture.input, {fixture.udp(kToOther)});
  fixture.client->plan(fixture.now, batch, *fixture.work);
  fixture.handle(flow(kResource, 1));
  EXPECT_EQ(fixture.segments_in_node(), 0u) << "works are committed in the order in which they were planned";
  fixture.client->commit(fixture.now, *fixture.work, fixture.output);
  EXPECT_EQ(fixture.segments_in_node(), 1u);
}

TEST(ClientFlow, AResourceThatMovesIsTakenFromTheOtherGateway) {
  ClientFixture fixture;
  fixture.init(two());
  fixture.connect(kResource, kTo, 1);
  fixture.connect(kOther, kToOther, 1);
  // The portal is asked once more although there is a gateway: only ICMP does that, see client_inner_test.cpp.
  fixture.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/9")});
  fixture.connect(kResource, kTo, 2);
  EXPECT_EQ(fixture.gateway_of(kResource), gateway_id(2));
  EXPECT_EQ(fixture.gateway_of(kOther), gateway_id(1)) << "its other resources stay";
  EXPECT_EQ(fixture.client->node().connection_count(), 2u);
}

TEST(ClientFlow, AGatewayWithoutResourcesIsLetGo) {
  const struct {
    const char* rule;
    std::function<void(ClientFixture&)> act;
    std::size_t connections;
  } kRows[] = {
      {"its last resource was deleted", [](auto& f) { f.handle(portal::ResourceDeleted{kResource}); }, 1},
      {"its last resource is not in init", [](auto& f) { f.init({cidr(2, "172.16.0.0/12")}); }, 1},
      {"its last resource changed", [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/9")}); },
       1},
      {"its last resource changed its sites",
       [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/8", {1, 2})}); }, 1},
      {"its last resource is offline", [](auto& f) { f.handle(failure(kResource, portal::FlowFailure::offline)); }, 1},
      {"a name changed: nothing happens",
       [](auto& f) {
         auto renamed = cidr(1, "10.0.0.0/8");
         renamed.name = renamed.sites[0].name = "renamed";
         f.handle(portal::ResourceCreatedOrUpdated{renamed});
       },
       2},
      {"the same resource again: nothing happens",
       [](auto& f) { f.handle(portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/8")}); }, 2},
      {"init again: nothing happens", [](auto& f) { f.init(two()); }, 2},
      {"an unknown resource was deleted: nothing happens", [](auto& f) { f.handle(portal::ResourceDeleted{uuid(99)}); },
       2},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture;
    fixture.init(two());
    fixture.connect(kResource, kTo, 1);
    fixture.connect(kOther, kToOther, 2);
    row.act(fixture);
    EXPECT_EQ(fixture.client->node().connection_count(), row.connections);
    EXPECT_EQ(fixture.client->status().gateways.size(), row.connections);
    EXPECT_EQ(fixture.gateway_of(kOther), gateway_id(2));
    EXPECT_EQ(fixture.gateway_of(kResource).has_value(), row.connections == 2);
  }
}

TEST(ClientFlow, WhatWaitsForAResourceThatIsRemoved) {
  const struct {
    const char* rule;
    portal::PortalToClient next;
    std::uint64_t dropped;
    FlowOutcome outcome;
  } kRows[] = {
      {"is dropped with the portal's next message", portal::RelaysPresence{}, 1, unknown_resource},
      {"and with a late answer, which is ignored", flow(kResource, 1), 1, unknown_resource},
      {"is dropped when it comes back as another one", portal::ResourceCreatedOrUpdated{cidr(1, "10.9.0.0/16")}, 1,
       not_wanted},
      {"is dropped when it comes back in another site", portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/8", {9})}, 1,
       not_wanted},
      {"stays when it comes back at once as it was: the portal moves it to another gateway",
       portal::ResourceCreatedOrUpdated{cidr(1, "10.0.0.0/8")}, 0, created},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ClientFixture fixture;
    fixture.init(two());
    fixture.send(fixture.udp(kTo));
    fixture.handle(portal::ResourceDeleted{kResource});
    fixture.expect_ledger();
    fixture.handle(row.next);
    EXPECT_EQ(fixture.count(drop_pending_abandoned), row.dropped);
    static_cast<void>(fixture.outcomes());
    fixture.handle(flow(kResource, 1));
    EXPECT_THAT(fixture.outcomes(), ElementsAre(row.outcome));
    EXPECT_EQ(fixture.client->node().connection_count(), row.outcome == created ? 1u : 0u);
    EXPECT_EQ(fixture.segments_in_node(), row.outcome == created ? 1u : 0u);
  }
}

TEST(ClientFlow, TheInternetSwitch) {
  ClientFixture fixture;
  fixture.client->set_internet_enabled(fixture.now, true, fixture.output);  // before there is one
  fixture.init({internet(9)});
  fixture.connect(uuid(9), "192.0.2.1", 1);
  EXPECT_EQ(fixture.gateway_of(uuid(9)), gateway_id(1));
  fixture.client->set_internet_enabled(fixture.now, true, fixture.output);
  EXPECT_EQ(fixture.client->node().connection_count(), 1u) << "switching on again changes nothing";
  fixture.client->set_internet_enabled(fixture.now, false, fixture.output);
  EXPECT_EQ(fixture.client->node().connection_count(), 0u);
  fixture.client->set_internet_enabled(fixture.now, true, fixture.output);
  fixture.handle(portal::ResourceDeleted{uuid(9)});
  fixture.handle(portal::ResourceCreatedOrUpdated{internet(9)});
  static_cast<void>(fixture.asked());
  fixture.send(fixture.udp("192.0.2.1"));
  EXPECT_THAT(fixture.asked(), ElementsAre(uuid(9))) << "the user's choice survives the resource";
}

TEST(ClientFlow, AnotherConnectionUnderTheSameIdHasNoneOfTheEarlierGrants) {
  ClientFixture fixture;
  fixture.init(two());
  fixture.connect(kResource, kTo, 1);
  fixture.send(fixture.udp(kToOther));
  auto restarted = flow(kOther, 1);
  restarted.gateway_key = crypto::public_key(crypto::seeded_key(77));
  fixture.handle(restarted);
  EXPECT_EQ(fixture.gateway_of(kOther), gateway_id(1));
  EXPECT_EQ(fixture.gateway_of(kResource), std::nullopt) << "the gateway started anew: asked for again";
  static_cast<void>(fixture.asked());
  fixture.send(fixture.udp(kTo));
  EXPECT_THAT(fixture.asked(), ElementsAre(kResource));
}

TEST(ClientFlow, AGatewaysKeyUnderAnotherId) {
  ClientFixture fixture;
  fixture.init(two());
  fixture.connect(kResource, kTo, 1);
  fixture.send(fixture.udp(kToOther));
  auto renamed = flow(kOther, 2);
  renamed.gateway_key = flow(kOther, 1).gateway_key;
  fixture.handle(renamed);
  EXPECT_EQ(fixture.gateway_of(kOther), gateway_id(2));
  EXPECT_EQ(fixture.gateway_of(kResource), std::nullopt);
  EXPECT_EQ(fixture.client->status().gateways.size(), 1u);
}

TEST(ClientFlow, AFailedConnectionIsForgottenAndAskedForAnew) {
  ClientFixture fixture;
  fixture.init(two());
  fixture.connect(kResource, kTo, 1);
  static_cast<void>(fixture.asked());
  for (int i = 0; i < 100 && fixture.client->node().connection_count() > 0; ++i) {
    const auto next = fixture.client->poll_timeout();
    ASSERT_TRUE(next);
    fixture.advance(std::max(Duration::zero(), *next - fixture.now.boot));
    fixture.client->handle_timeout(fixture.now, fixture.output);
    fixture.output.udp4.clear();
  }
  EXPECT_EQ(fixture.gateway_of(kResource), std::nullopt) << "no candidate of the gateway in 10 s";
  fixture.send(fixture.udp(kTo));
  EXPECT_THAT(fixture.asked(), ElementsAre(kResource));
  const auto reports = fixture.take<GatewayReport>();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].kind, node::NodeEvent::Kind::failed);
  EXPECT_EQ(reports[0].gateway, gateway_id(1));
}

TEST(ClientFlow, OfflineIsBelievedForFiveMinutes) {
  ClientFixture fixture;
  fixture.init({cidr(1, "10.0.0.0/8", {1, 2}), cidr(2, "172.16.0.0/12", {2, 3})});
  fixture.send(fixture.udp(kTo));
  fixture.handle(failure(kResource, portal::FlowFailure::offline));
  EXPECT_EQ(fixture.status_of(kResource), Reachability::offline);
  EXPECT_EQ(fixture.status_of(kOther), Reachability::unknown) << "of one of its sites nothing is known";
  static_cast<void>(fixture.client->take_resource_list());
  static_cast<void>(fixture.take<ResourcesChanged>());
  fixture.advance(5min);
  fixture.client->handle_timeout(fixture.now, fixture.output);
  EXPECT_EQ(fixture.status_of(kResource), Reachability::unknown);
  ASSERT_TRUE(fixture.client->poll_event()) << "the list changed by that";
}

TEST(ClientFlow, Reset) {
  ClientFixture fixture;
  fixture.init(two());
  fixture.connect(kResource, kTo, 1);
  fixture.send(fixture.udp(kToOther));
  fixture.events.clear();
  fixture.reset();
  EXPECT_EQ(fixture.client->node().connection_count(), 0u);
  EXPECT_EQ(fixture.gateway_of(kResource), std::nullopt);
  EXPECT_EQ(fixture.pending_of(kOther), 1u) << "what waits survives";
  EXPECT_EQ(fixture.client->status().resources.size(), 2u) << "as do the resources";
  EXPECT_TRUE(fixture.client->status().configured);
  EXPECT_THAT(fixture.take<TunChanged>(), IsEmpty()) << "the TUN is not touched";
  fixture.send(fixture.udp(kTo));
  EXPECT_THAT(fixture.asked(), ElementsAre(kResource));
  fixture.handle(flow(kResource, 1));
  EXPECT_THAT(fixture.outcomes(), ElementsAre(no_relays)) << "relays come with the next init";
  fixture.init(two());
  EXPECT_THAT(fixture.asked(), ElementsAre(kResource));
}

TEST(ClientFlow, CandidatesForAGatewayThatIsNotThereAreIgnored) {
  ClientFixture fixture;
  fixture.init(two());
  for (const bool invalidate : {false, true}) {
    fixture.handle(portal::IceCandidates{.peer = gateway_id(1),
                                         .candidates = {"candidate:1 1 udp 1000 192.0.2.1 1 typ host"},
                                         .invalidate = invalidate});
  }
  EXPECT_EQ(fixture.client->node().counters().get(node::NodeCounter::drop_candidate_unknown_connection), 2u);
}

}  // namespace
}  // namespace fireline::tunnel
