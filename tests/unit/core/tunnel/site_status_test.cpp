#include "core/tunnel/site_status.h"

#include <gtest/gtest.h>

#include "core/tunnel/latest_value.h"
#include "core/tunnel/sticky_gateways.h"
#include "tests/unit/core/tunnel/client_values.h"

namespace fireline::tunnel {
namespace {

using namespace std::chrono_literals;
using namespace test;
using enum Reachability;

std::vector<policy::Site> sites(const std::vector<std::uint8_t>& numbers) {
  std::vector<policy::Site> all;
  for (const std::uint8_t number : numbers) all.push_back({.id = site_id(number), .name = {}});
  return all;
}

TEST(SiteStatus, AResourceByItsSites) {
  SiteStatus status;  // 1 and 2 online, 3 and 4 offline, 5 unknown
  status.set_online(site_id(1));
  status.set_online(site_id(2));
  status.set_offline(Instant{}, site_id(3));
  status.set_offline(Instant{}, site_id(4));
  const struct {
    const char* rule;
    std::vector<std::uint8_t> sites;
    Reachability expected;
  } kRows[] = {
      {"no site", {}, unknown},
      {"the only one is online", {1}, online},
      {"the only one is offline", {3}, offline},
      {"nothing is known of the only one", {5}, unknown},
      {"one of several is online", {3, 5, 1}, online},
      {"all are offline", {3, 4}, offline},
      {"one offline, of the other nothing is known", {3, 5}, unknown},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(status.of(sites(row.sites)), row.expected);
  }
}

TEST(SiteStatus, OfflineIsForgottenByARealTimer) {
  SiteStatus status;
  const Instant start{10s};
  EXPECT_EQ(status.poll_timeout(), std::nullopt);
  status.set_offline(start, site_id(1));
  status.set_offline(start + 1min, site_id(2));
  status.set_online(site_id(3));
  EXPECT_EQ(status.poll_timeout(), start + 5min);
  EXPECT_FALSE(status.handle_timeout(start + 5min - 1ns));
  EXPECT_EQ(status.of(site_id(1)), offline);
  EXPECT_TRUE(status.handle_timeout(start + 5min));
  EXPECT_EQ(status.of(site_id(1)), unknown);
  EXPECT_EQ(status.of(site_id(2)), offline);
  EXPECT_EQ(status.poll_timeout(), start + 6min);
  EXPECT_TRUE(status.handle_timeout(start + 1h));
  EXPECT_EQ(status.of(site_id(3)), online) << "online lasts as long as the connection";
  EXPECT_EQ(status.poll_timeout(), std::nullopt) << "no timer is left";
}

TEST(SiteStatus, TheLastWordCounts) {
  SiteStatus status;
  status.set_offline(Instant{}, site_id(1));
  status.set_online(site_id(1));
  EXPECT_EQ(status.of(site_id(1)), online);
  EXPECT_EQ(status.poll_timeout(), std::nullopt);
  status.set_unknown(site_id(1));
  status.set_unknown(site_id(2));
  EXPECT_EQ(status.of(site_id(1)), unknown);
}

TEST(StickyGateways, TheLatestHundredInOrderOfTheirIds) {
  StickyGateways sticky;
  for (std::uint8_t i = 150; i > 0; --i) sticky.use(gateway_id(i));
  sticky.use(gateway_id(100));  // used again: not the oldest any more
  sticky.use(gateway_id(200));
  const auto all = sticky.sorted();
  EXPECT_EQ(all.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(all));
  EXPECT_TRUE(std::ranges::binary_search(all, gateway_id(100)));
  EXPECT_FALSE(std::ranges::binary_search(all, gateway_id(99))) << "used longest ago";
  EXPECT_TRUE(std::ranges::binary_search(all, gateway_id(200)));
  sticky.clear();
  EXPECT_TRUE(sticky.sorted().empty());
}

TEST(LatestValue, OnlyTheNewestAndOnlyWhenItDiffers) {
  LatestValue<int> value;
  EXPECT_FALSE(value.poll_announcement());
  value.set(1);
  value.set(2);
  EXPECT_TRUE(value.poll_announcement());
  EXPECT_FALSE(value.poll_announcement()) << "several collapse into one";
  EXPECT_EQ(value.take(), 2);
  EXPECT_EQ(value.take(), std::nullopt);
  value.set(2);
  EXPECT_FALSE(value.poll_announcement()) << "the same as before";
  value.set(3);
  EXPECT_TRUE(value.poll_announcement());
  value.set(2);
  EXPECT_EQ(value.take(), std::nullopt) << "it changed back";
  value.set(4);
  EXPECT_TRUE(value.poll_announcement()) << "the next change is announced again";
  EXPECT_EQ(value.take(), 4);
}

}  // namespace
}  // namespace fireline::tunnel
