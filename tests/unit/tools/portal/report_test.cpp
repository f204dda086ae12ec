#include "tools/portal/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fireline::portal_tool {
namespace {

Report example() {
  Report report;
  report.uptime_seconds = 7300;
  report.listens = {"[::]:8081"};
  report.tls = true;
  report.policy_file = "/etc/fireline/policy.json";
  report.plane.account = "example";
  report.plane.resources = 4;
  report.plane.sites = 2;
  report.plane.actors = 3;
  report.plane.policies = 3;
  report.plane.connections = 3;
  report.plane.grants = 2;
  portal::OnlineDevice laptop;
  laptop.id = "11111111-1111-4111-8111-111111111111";
  laptop.owner = "alice";
  laptop.name = "lap\x1b[2Jtop";
  laptop.agent = "headless-client/1.5.5";
  laptop.source = "192.0.2.7";
  laptop.ipv4 = "100.64.0.2";
  laptop.ipv6 = "fd00:2021:1111::2";
  laptop.online_seconds = 61;
  laptop.grants = 2;
  report.plane.clients = {laptop};
  portal::OnlineRelay relay;
  relay.name = "relay-1";
  relay.addresses = {"203.0.113.1:3478", "[2001:db8::1]:3478"};
  relay.departing = true;
  report.plane.relays = {relay};
  report.counters = {{"login.accepted", 3}};
  return report;
}

TEST(PortalReport, TextIsATableWithoutTerminalCommands) {
  std::string text = status_text(example());
  const std::string first = text.substr(0, text.find('\n') + 1);
  EXPECT_EQ(first, "fireline-portal " FIRELINE_VERSION ", up 2 h, listens on [::]:8081 with TLS\n");
  EXPECT_EQ(text.substr(first.size()),
            R"(policy /etc/fireline/policy.json: account example, 4 resources, 2 sites, 3 actors, 3 policies

clients: 1
  NAME        ACTOR  ADDRESS     FROM       ONLINE  GRANTS  PROGRAM
  lap [2Jtop  alice  100.64.0.2  192.0.2.7  61 s    2       headless-client/1.5.5

gateways: 0

relays: 1
  relay-1  203.0.113.1:3478 [2001:db8::1]:3478  (left a moment ago)

grants: 2, flows under way: 0
)");
}

TEST(PortalReport, TextSaysWhatIsMissing) {
  Report report = example();
  report.plane.relays.clear();
  report.policy_error = "policy.json:1:2: not JSON";
  const std::string text = status_text(report);
  EXPECT_NE(text.find("start fireline-relay"), std::string::npos) << text;
  EXPECT_NE(text.find("stays in force, for the file has mistakes:\npolicy.json:1:2: not JSON\n"), std::string::npos);
}

TEST(PortalReport, JsonIsWhatItSays) {
  const auto json = nlohmann::json::parse(status_json(example()));
  EXPECT_EQ(json["policy"]["resources"], 4);
  EXPECT_EQ(json["clients"][0]["actor"], "alice");
  EXPECT_EQ(json["clients"][0]["name"], "lap\x1b[2Jtop");
  EXPECT_EQ(json["relays"][0]["departing"], true);
  EXPECT_EQ(json["counters"]["login.accepted"], 3);
}

TEST(PortalReport, MetricsNameEachCounterOnce) {
  const std::string text = metrics_text(example());
  EXPECT_NE(text.find("fireline_events{name=\"login.accepted\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("fireline_portal_online{kind=\"client\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("fireline_portal_grants 2\n"), std::string::npos);
}

}  // namespace
}  // namespace fireline::portal_tool
