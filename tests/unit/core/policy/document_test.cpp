#include "core/policy/document.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/core/policy/documents.h"

namespace fireline::policy {
namespace {

std::vector<std::size_t> policies_of(const Document& document, std::size_t actor) {
  std::vector<std::size_t> places;
  document.for_each_policy(document.actors[actor], [&](std::size_t place) { places.push_back(place); });
  std::ranges::sort(places);
  return places;
}

TEST(Document, FindsThingsByIdAndByName) {
  const Document found = document({});
  ASSERT_NE(found.resource(id_of("far")), nullptr);
  EXPECT_EQ(found.resource(id_of("far"))->name, "far");
  ASSERT_NE(found.actor(id_of("robot")), nullptr);
  EXPECT_EQ(found.actor(id_of("robot"))->kind, ActorKind::service_account);
  ASSERT_NE(found.site(id_of("away")), nullptr);
  EXPECT_EQ(found.site(id_of("away"))->name, "away");
  EXPECT_EQ(found.actor_named("alice"), found.actor(id_of("alice")));
  EXPECT_EQ(found.site_named("lab"), found.site(id_of("lab")));

  EXPECT_EQ(found.resource(id_of("lab")), nullptr) << "an id of another kind";
  EXPECT_EQ(found.actor(id_of("far")), nullptr);
  EXPECT_EQ(found.site(id_of("alice")), nullptr);
  EXPECT_EQ(found.actor_named("Alice"), nullptr) << "names are compared with their case";
  EXPECT_EQ(found.site_named(""), nullptr);
}

TEST(Document, AnActorHasThePoliciesOfAllItsGroupsEachOnce) {
  const Document found = document({policy({1}, {0}), policy({0, 1}, {1}), policy({}, {2}), policy({0}, {3})});
  EXPECT_EQ(policies_of(found, 0), (std::vector<std::size_t>{0, 1, 3}));
  EXPECT_EQ(policies_of(found, 1), (std::vector<std::size_t>{1, 3}));
}

TEST(Document, LinkedAgainItForgetsWhatWas) {
  Document found = document({policy({1}, {0}), policy({0}, {1})});
  found.policies.pop_back();
  found.resources.pop_back();
  found.link();
  EXPECT_EQ(policies_of(found, 0), std::vector<std::size_t>{0});
  EXPECT_TRUE(policies_of(found, 1).empty());
  EXPECT_EQ(found.resource(id_of("far")), nullptr);
}

TEST(Document, AGatewaySeesTheResourceWithItsFilters) {
  Resource resource = network("net", "10.0.0.0/8");
  resource.filters.filters = {{.protocol = FilterProtocol::tcp, .first_port = 443, .last_port = 443}};
  const GatewayResource view = gateway_view(resource);
  EXPECT_EQ(view.id, resource.id);
  EXPECT_EQ(view.kind, ResourceKind::cidr);
  EXPECT_EQ(view.name, "net");
  EXPECT_EQ(view.network, resource.network);
  EXPECT_EQ(view.filters, resource.filters);
}

}  // namespace
}  // namespace fireline::policy
