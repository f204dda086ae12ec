#include "core/tunnel/resource_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/tunnel/client.h"
#include "tests/unit/core/tunnel/client_values.h"

namespace fireline::tunnel {
namespace {

using namespace test;

std::optional<Uuid> match(ResourceTable& table, const std::string& destination) {
  const ResourceEntry* entry = table.match(ip(destination).bytes());
  return entry == nullptr ? std::nullopt : std::optional(entry->resource.id);
}

void put_all(ResourceTable& table, const std::vector<policy::ClientResource>& resources) {
  for (const auto& resource : resources) ASSERT_NE(table.put(resource), ResourceTable::Put::full);
  table.choose();
}

TEST(ResourceTable, WhoTakesADestination) {
  const struct {
    const char* rule;
    std::vector<policy::ClientResource> resources;
    bool internet_enabled;
    const char* destination;
    std::optional<Uuid> taken_by;
  } kRows[] = {
      {"nobody, in an empty table", {}, true, "10.0.0.1", {}},
      {"its network", {cidr(1, "10.0.0.0/8")}, false, "10.9.9.9", uuid(1)},
      {"nobody outside of every network", {cidr(1, "10.0.0.0/8")}, false, "11.0.0.1", {}},
      {"the longest prefix", {cidr(1, "10.0.0.0/8"), cidr(2, "10.1.0.0/16")}, false, "10.1.0.1", uuid(2)},
      {"the longest prefix, whatever the order",
       {cidr(2, "10.1.0.0/16"), cidr(1, "10.0.0.0/8")},
       false,
       "10.1.0.1",
       uuid(2)},
      {"the shorter one beside it", {cidr(1, "10.0.0.0/8"), cidr(2, "10.1.0.0/16")}, false, "10.2.0.1", uuid(1)},
      {"the greatest id of equal networks",
       {cidr(3, "10.0.0.0/8"), cidr(7, "10.0.0.0/8"), cidr(5, "10.0.0.0/8")},
       false,
       "10.0.0.1",
       uuid(7)},
      {"IPv6 as well", {cidr(1, "2001:db8::/32")}, false, "2001:db8:1::1", uuid(1)},
      {"a network before the Internet", {cidr(1, "10.0.0.0/8"), internet(2)}, true, "10.0.0.1", uuid(1)},
      {"a network of everything before the Internet", {cidr(1, "0.0.0.0/0"), internet(2)}, true, "192.0.2.1", uuid(1)},
      {"the Internet for everything else", {cidr(1, "10.0.0.0/8"), internet(2)}, true, "192.0.2.1", uuid(2)},
      {"the Internet in IPv6", {internet(2)}, true, "2001:db8::1", uuid(2)},
      {"not the Internet while it is switched off", {internet(2)}, false, "192.0.2.1", {}},
      {"no name", {dns(1, "*.example.com")}, true, "10.0.0.1", {}},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ResourceTable table;
    table.set_internet_enabled(row.internet_enabled);
    put_all(table, row.resources);
    EXPECT_EQ(match(table, row.destination), row.taken_by);
  }
}

TEST(ResourceTable, TheSwitchMayComeBeforeTheResourceAndSurvivesIt) {
  ResourceTable table;
  table.set_internet_enabled(true);
  table.choose();
  EXPECT_EQ(match(table, "192.0.2.1"), std::nullopt);
  put_all(table, {internet(1)});
  EXPECT_EQ(match(table, "192.0.2.1"), uuid(1));
  EXPECT_TRUE(table.remove(uuid(1)));
  table.choose();
  EXPECT_EQ(match(table, "192.0.2.1"), std::nullopt);
  EXPECT_TRUE(table.internet_enabled());
  put_all(table, {internet(1)});
  EXPECT_EQ(match(table, "192.0.2.1"), uuid(1));
}

TEST(ResourceTable, TheChoiceAmongEqualNetworks) {
  ResourceTable table;
  put_all(table, {cidr(3, "10.0.0.0/8"), cidr(7, "10.0.0.0/8")});
  const auto chosen = [&] { return match(table, "10.0.0.1"); };
  EXPECT_EQ(chosen(), uuid(7)) << "the greatest id while none has a gateway";
  table.find(uuid(3))->gateway = gateway_id(1);
  EXPECT_EQ(chosen(), uuid(7)) << "connecting does not flip it";
  table.choose();
  EXPECT_EQ(chosen(), uuid(3)) << "a change of resources does: a gateway goes before an id";
  table.find(uuid(7))->gateway = gateway_id(2);
  table.choose();
  EXPECT_EQ(chosen(), uuid(3)) << "what is chosen and has a gateway keeps it";
  table.find(uuid(3))->gateway.reset();
  EXPECT_EQ(chosen(), uuid(3)) << "nor does losing the gateway flip it";
  table.choose();
  EXPECT_EQ(chosen(), uuid(7));
  EXPECT_TRUE(table.remove(uuid(7)));
  table.choose();
  EXPECT_EQ(chosen(), uuid(3)) << "the next one takes over";
}

TEST(ResourceTable, WhatIsAnotherResourceUnderTheSameId) {
  const struct {
    const char* rule;
    policy::ClientResource before;
    std::function<void(policy::ClientResource&)> change;
    bool replaced;
  } kRows[] = {
      {"the same", cidr(1, "10.0.0.0/8"), [](auto&) {}, false},
      {"its name", cidr(1, "10.0.0.0/8"), [](auto& r) { r.name = "other"; }, false},
      {"its description", cidr(1, "10.0.0.0/8"), [](auto& r) { r.description = "other"; }, false},
      {"a site's name", cidr(1, "10.0.0.0/8"), [](auto& r) { r.sites[0].name = "other"; }, false},
      {"the order of its sites", cidr(1, "10.0.0.0/8", {1, 2}), [](auto& r) { std::swap(r.sites[0], r.sites[1]); },
       false},
      {"its network", cidr(1, "10.0.0.0/8"), [](auto& r) { r.network = net("10.0.0.0/9"); }, true},
      {"another site", cidr(1, "10.0.0.0/8"), [](auto& r) { r.sites[0].id = site_id(9); }, true},
      {"one more site", cidr(1, "10.0.0.0/8"), [](auto& r) { r.sites.push_back({.id = site_id(9), .name = ""}); },
       true},
      {"its kind", cidr(1, "10.0.0.0/8"), [](auto& r) { r.kind = policy::ResourceKind::internet; }, true},
      {"a pattern", dns(1, "a.example"), [](auto& r) { r.pattern = "b.example"; }, true},
      {"an IP stack", dns(1, "a.example"), [](auto& r) { r.ip_stack = policy::IpStack::ipv4_only; }, true},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ResourceTable table;
    put_all(table, {row.before});
    policy::ClientResource after = row.before;
    row.change(after);
    EXPECT_EQ(table.is_replaced_by(after), row.replaced);
    after.id = uuid(99);
    EXPECT_FALSE(table.is_replaced_by(after)) << "an unknown id replaces nothing";
  }
}

TEST(ResourceTable, PuttingAgainKeepsTheGateway) {
  ResourceTable table;
  put_all(table, {cidr(1, "10.0.0.0/8")});
  table.find(uuid(1))->gateway = gateway_id(1);
  auto renamed = cidr(1, "10.0.0.0/8");
  renamed.name = "renamed";
  EXPECT_EQ(table.put(renamed), ResourceTable::Put::updated);
  EXPECT_EQ(table.find(uuid(1))->gateway, gateway_id(1));
  EXPECT_EQ(table.find(uuid(1))->resource.name, "renamed");
  EXPECT_EQ(table.size(), 1u);
}

TEST(ResourceTable, Routes) {
  using testing::IsSupersetOf;
  ResourceTable table;
  table.choose();
  EXPECT_THAT(table.routes(), testing::UnorderedElementsAreArray(
                                  {net("100.64.0.0/11"), net("fd00:2021:1111::/107"), net("100.96.0.0/11"),
                                   net("fd00:2021:1111:8000::/107"), net("100.100.111.0/24"),
                                   net("fd00:2021:1111:8000:100:100:111:0/120")}))
      << "without any resource";
  put_all(table, {cidr(1, "10.0.0.0/8"), cidr(2, "10.0.0.0/8"), dns(3, "x.example"), internet(4)});
  EXPECT_EQ(table.routes().size(), 7u) << "one network, once; nothing for a name or an Internet that is switched off";
  table.set_internet_enabled(true);
  table.choose();
  EXPECT_THAT(table.routes(), IsSupersetOf({net("0.0.0.0/0"), net("::/0"), net("10.0.0.0/8")}));
  EXPECT_TRUE(std::ranges::is_sorted(table.routes()));
}

TEST(ResourceTable, WhoTakesTheInternetsNetworks) {
  ResourceTable table;
  table.set_internet_enabled(true);
  put_all(table, {internet(1), cidr(2, "0.0.0.0/0")});
  EXPECT_FALSE(table.takes(*table.find(uuid(1)), net("0.0.0.0/0"))) << "a resource has that network";
  EXPECT_TRUE(table.takes(*table.find(uuid(1)), net("::/0")));
  EXPECT_TRUE(table.takes(*table.find(uuid(2)), net("0.0.0.0/0")));
}

TEST(ResourceTable, Limit) {
  ResourceTable table;
  policy::ClientResource resource = cidr(1, "10.0.0.0/8");
  for (std::size_t i = 0; i < kResourcesMax; ++i) {
    resource.id.bytes[1] = static_cast<std::uint8_t>(i >> 8);
    resource.id.bytes[2] = static_cast<std::uint8_t>(i);
    ASSERT_EQ(table.put(resource), ResourceTable::Put::added);
  }
  EXPECT_EQ(table.put(resource), ResourceTable::Put::updated) << "a known one is no further one";
  resource.id.bytes[3] = 1;
  EXPECT_EQ(table.put(resource), ResourceTable::Put::full);
}

}  // namespace
}  // namespace fireline::tunnel
