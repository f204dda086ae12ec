#include "tools/relay/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fireline::relay {
namespace {

RelayReport report() {
  return {.version = "1.2",
          .auth = "static",
          .uptime_seconds = 7,
          .public_addresses = {"203.0.113.10"},
          .listen_port = 3478,
          .gso = true,
          .fast_path = "off",
          .userspace_bytes = 1000,
          .fast_path_bytes = 0,
          .portal = PortalReport{.url = "wss://portal.test/",
                                 .state = "joined",
                                 .joined = true,
                                 .seconds = 5,
                                 .last_error = "the portal sent \xFF"},
          .gauges = {{"allocations", 3}, {"sockets", 8}},
          .counters = {{"udp.receive.datagrams", 5}, {"drop.client.short", 1}},
          .responses = {{"allocate", 0, 3}, {"allocate", 401, 4}}};
}

TEST(Report, MetricsAsPrometheusText) {
  const std::string text = metrics_text(report());
  for (const char* line : {"relay_active_allocations 3\n", "data_relayed_userspace_bytes 1000\n",
                           "responses_total{response_class=\"success\",message_type=\"allocate\"} 3\n",
                           "responses_total{response_class=\"error\",message_type=\"allocate\",error_code=\"401\"} 4\n",
                           "fireline_portal_joined 1\n", "fireline_relay_size{name=\"sockets\"} 8\n",
                           "fireline_events{name=\"drop.client.short\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
  }
}

TEST(Report, StatusAsJson) {
  const auto status = nlohmann::json::parse(status_text(report()));
  EXPECT_EQ(status["gauges"]["allocations"], 3);
  EXPECT_EQ(status["counters"]["udp.receive.datagrams"], 5);
  EXPECT_EQ(status["responses"][1]["code"], 401);
  EXPECT_EQ(status["public_addresses"][0], "203.0.113.10");
  EXPECT_EQ(status["portal"]["joined"], true);
  EXPECT_EQ(status["portal"]["state"], "joined");
}

TEST(Report, ARelayOnItsOwnSaysNothingOfAPortal) {
  RelayReport own = report();
  own.portal.reset();
  EXPECT_EQ(metrics_text(own).find("portal"), std::string::npos);
  EXPECT_FALSE(nlohmann::json::parse(status_text(own)).contains("portal"));
}

}  // namespace
}  // namespace fireline::relay
