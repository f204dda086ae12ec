#include "core/policy/difference.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/core/policy/documents.h"

namespace fireline::policy {
namespace {

using Places = std::vector<std::size_t>;

// What a change of resource "net" (place 0) means, for a client that sees it before and after.
struct Row {
  const char* sentence;
  std::function<void(Resource&)> change;
  ResourceChange expected;
  bool deleted_first;        // for every client
  bool deleted_first_early;  // for one that does not take renamed sites
};

const Row kRows[] = {
    {"nothing", [](Resource&) {}, {}, false, false},
    {"another address ends grants; the client takes it in place",
     [](Resource& r) { r.network = Prefix::parse("10.0.0.0/9").value(); },
     {.identity = true},
     false,
     false},
    {"another type is another identity",
     [](Resource& r) {
       r.kind = ResourceKind::dns;
       r.pattern = "a.example";
     },
     {.identity = true},
     false,
     false},
    {"another IP stack is another identity",
     [](Resource& r) { r.ip_stack = IpStack::ipv4_only; },
     {.identity = true},
     false,
     false},
    {"another site: the deletion comes first",
     [](Resource& r) { r.sites[0] = {.id = id_of("away"), .name = "away"}; },
     {.sites = true},
     true,
     true},
    {"one more site: the deletion comes first",
     [](Resource& r) { r.sites.push_back({.id = id_of("away"), .name = "away"}); },
     {.sites = true},
     true,
     true},
    {"a renamed site: the deletion comes first for clients that cannot take it",
     [](Resource& r) { r.sites[0].name = "laboratory"; },
     {.site_names = true},
     false,
     true},
    {"filters are the gateways' part, and the client's copy changes",
     [](Resource& r) { r.filters.filters.push_back({.protocol = FilterProtocol::icmp}); },
     {.filters = true},
     false,
     false},
    {"another name", [](Resource& r) { r.name = "network"; }, {.text = true}, false, false},
    {"another description", [](Resource& r) { r.description = "text"; }, {.text = true}, false, false},
};

TEST(Difference, OfOneResource) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Document before = document({});
    Document after = before;
    row.change(after.resources[0]);
    after.link();
    const Difference difference(before, after);

    const ResourceChange* found = difference.of(id_of("net"));
    ASSERT_EQ(found != nullptr, row.expected.any());
    if (found != nullptr) {
      EXPECT_EQ(found->identity, row.expected.identity);
      EXPECT_EQ(found->sites, row.expected.sites);
      EXPECT_EQ(found->site_names, row.expected.site_names);
      EXPECT_EQ(found->filters, row.expected.filters);
      EXPECT_EQ(found->text, row.expected.text);
    }
    EXPECT_EQ(difference.filters(), row.expected.filters ? Places{0} : Places{});
    EXPECT_EQ(difference.of(id_of("dns")), nullptr);

    for (const bool takes : {true, false}) {
      const ClientUpdate update = client_update(before, Places{0, 1}, after, Places{0, 1}, difference, takes);
      const bool deleted = takes ? row.deleted_first : row.deleted_first_early;
      EXPECT_EQ(update.deleted, deleted ? std::vector<Uuid>{id_of("net")} : std::vector<Uuid>{}) << takes;
      EXPECT_EQ(update.upserted, row.expected.any() ? Places{0} : Places{}) << takes;
      EXPECT_EQ(update.empty(), !row.expected.any());
    }
    // Who does not see it is told nothing of it.
    EXPECT_TRUE(client_update(before, Places{1}, after, Places{1}, difference, false).empty());
  }
}

TEST(Difference, SitesInAnotherOrderAreTheSame) {
  const Document before = document({});
  Document after = before;
  std::swap(after.resources[3].sites[0], after.resources[3].sites[1]);
  after.link();
  EXPECT_EQ(Difference(before, after).of(id_of("far")), nullptr);
}

TEST(Difference, OfTheAccount) {
  const Document before = document({});
  Document slug = before;
  slug.account.slug = "other";
  Document dns = before;
  dns.dns.search_domain = "example";
  EXPECT_FALSE(Difference(before, before).account_slug());
  EXPECT_FALSE(Difference(before, before).dns());
  EXPECT_TRUE(Difference(before, slug).account_slug());
  EXPECT_FALSE(Difference(before, slug).dns());
  EXPECT_TRUE(Difference(before, dns).dns());
  EXPECT_FALSE(Difference(before, dns).account_slug());
}

TEST(Difference, ResourcesThatMoveInTheFileAreTheSame) {
  const Document before = document({});
  Document after = before;
  std::swap(after.resources[0], after.resources[3]);
  after.link();
  const Difference difference(before, after);
  EXPECT_EQ(difference.of(id_of("net")), nullptr);
  EXPECT_TRUE(client_update(before, Places{0, 1}, after, Places{1, 3}, difference, false).empty());
}

TEST(ClientUpdate, NewOnesAreCreatedAndLostOnesDeleted) {
  const Document same = document({});
  const ClientUpdate update = client_update(same, Places{0, 1}, same, Places{1, 3}, Difference(), true);
  EXPECT_EQ(update.deleted, std::vector<Uuid>{id_of("net")});
  EXPECT_EQ(update.upserted, Places{3});
}

TEST(ClientUpdate, ARemovedResourceIsDeletedAndAnAddedOneCreated) {
  const Document before = document({});
  Document after = before;
  after.resources[0] = network("new", "10.0.0.0/8");
  after.link();
  const ClientUpdate update = client_update(before, Places{0}, after, Places{0}, Difference(before, after), true);
  EXPECT_EQ(update.deleted, std::vector<Uuid>{id_of("net")});
  EXPECT_EQ(update.upserted, Places{0});
}

}  // namespace
}  // namespace fireline::policy
