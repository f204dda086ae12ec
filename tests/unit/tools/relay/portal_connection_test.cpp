// The relay at a portal on loopback: as whom it joins, what it does with what the portal says.
#include "tools/relay/portal_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/portal/relay_codec.h"
#include "io/websocket_server.h"

namespace fireline::relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class PortalConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    io::WebSocketServerOptions options;
    options.endpoints = {*Endpoint::parse("127.0.0.1:0")};
    server_ = io::WebSocketServer::listen(
                  *loop_, options,
                  {.upgrade =
                       [this](const io::WebSocketUpgrade& request) {
                         targets_.push_back(std::string(request.path) + "?" + std::string(request.query));
                         agent_ = request.user_agent;
                         return answer_;
                       },
                   .opened = [this](io::WebSocketId id) { connection_ = id; },
                   .text = [this](io::WebSocketId id, std::string_view text) { take(id, text); },
                   .closed = [](io::WebSocketId, const std::string&) {}})
                  .value();
    options_.public_ip4 = IpAddress::parse("203.0.113.50");
    options_.public_ip6 = IpAddress::parse("2001:db8::50");
    options_.listen_port = 3479;
    options_.portal = PortalOptions{
        .url = *portal::PortalUrl::parse("ws://127.0.0.1:" + std::to_string(server_->endpoints()[0].port)),
        .token = crypto::SecretText("t0k"),
        .name = "r1",
        .ca_file = {}};
    portal_ = PortalConnection::open(*loop_, random_, options_, credentials_, [this](const std::string& sentence) {
                fatal_ = sentence;
              }).value();
  }
  void take(io::WebSocketId id, std::string_view text) {
    joins_.emplace_back(text.substr(0, text.find(",\"ref\"")));
    const auto ref = text.rfind("\"ref\":") + 6;
    server_->send(id, R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"topic":"relay","ref":)" +
                          std::string(text.substr(ref, text.find('}', ref) - ref)) + "}");
    push(R"({"event":"init","payload":{},"topic":"relay","ref":null})");
  }
  void push(const std::string& text) { server_->send(connection_, text); }
  template <class Condition>
  bool turn_until(Condition condition) {
    for (int i = 0; i < 12000 && !condition(); ++i) loop_->turn(5ms);
    return condition();
  }
  RelayReport report() {
    RelayReport report;
    portal_->add_to(report, loop_->now().boot);
    return report;
  }
  std::uint64_t counter(std::string_view name) {
    for (const auto& entry : report().counters) {
      if (entry.name == name) return entry.value;
    }
    return ~std::uint64_t{0};
  }

  std::unique_ptr<io::EventLoop> loop_ = io::EventLoop::make().value();
  crypto::SystemRandom random_;
  FirezoneCredentials credentials_ = FirezoneCredentials::draw(random_);
  RelayOptions options_;
  io::WebSocketAnswer answer_;
  io::WebSocketId connection_ = io::WebSocketId::none;
  std::vector<std::string> targets_;
  std::string agent_;
  std::vector<std::string> joins_;
  std::string fatal_;
  std::unique_ptr<io::WebSocketServer> server_;
  std::unique_ptr<PortalConnection> portal_;
};

TEST_F(PortalConnectionTest, JoinsAsTheRelayThatItIs) {
  EXPECT_FALSE(portal_->joined());
  portal_->start();
  ASSERT_TRUE(turn_until([this] { return portal_->joined() && counter("portal.init") == 1; }));
  EXPECT_THAT(targets_,
              ElementsAre("/relay/websocket?token=t0k&name=r1&ipv4=203.0.113.50&ipv6=2001%3Adb8%3A%3A50&port=3479"));
  EXPECT_THAT(agent_, HasSubstr("relay/"));
  EXPECT_THAT(joins_, ElementsAre(R"({"topic":"relay","event":"phx_join","payload":{"stamp_secret":")" +
                                  std::string(credentials_.secret()) + "\"}"));
  const auto said = report();
  ASSERT_TRUE(said.portal);
  EXPECT_TRUE(said.portal->joined);
  EXPECT_EQ(said.portal->state, "joined");
  EXPECT_EQ(said.portal->url.find("t0k"), std::string::npos);
}

TEST_F(PortalConnectionTest, ALossIsFollowedByAJoinWithTheSameSecret) {
  portal_->start();
  ASSERT_TRUE(turn_until([this] { return counter("portal.init") == 1; }));
  server_->close(connection_);
  ASSERT_TRUE(turn_until([this] { return counter("portal.init") == 2; }));
  ASSERT_EQ(joins_.size(), 2u);
  EXPECT_EQ(joins_[0], joins_[1]) << "else what the portal handed out would be worth nothing";
  EXPECT_EQ(targets_[0], targets_[1]);
  EXPECT_EQ(counter("portal.losses"), 1u);
  EXPECT_FALSE(report().portal->last_error.empty());
  EXPECT_EQ(fatal_, "");
}

TEST_F(PortalConnectionTest, WhatNoRelayKnowsIsCounted) {
  portal_->start();
  ASSERT_TRUE(turn_until([this] { return counter("portal.init") == 1; }));
  push(R"({"event":"surprise","payload":{},"topic":"relay","ref":null})");
  push(R"({"event":"init","payload":[],"topic":"relay","ref":null})");
  EXPECT_TRUE(turn_until([this] { return counter("portal.drop.unknown_message") == 2; }));
  push("{");
  EXPECT_TRUE(turn_until([this] { return counter("portal.drop.not_json") == 1; }));
  EXPECT_TRUE(portal_->joined());
}

struct Ending {
  const char* rule;
  int status;          // of the login; 101: it may join
  const char* pushed;  // then
  const char* sentence;
};

TEST_F(PortalConnectionTest, WhatEndsTheRelay) {
  const Ending rows[] = {
      {"a token that is not good", 401, nullptr, "the portal refused the login: 401 no"},
      {"wrong parameters", 422, nullptr, "the portal refused the login: 422 no"},
      {"a token that expires", 101,
       R"({"event":"disconnect","payload":{"reason":"token_expired"},"topic":"relay","ref":null})",
       "token has expired"},
  };
  for (const Ending& row : rows) {
    SCOPED_TRACE(row.rule);
    answer_ = {.status = row.status, .body = "no"};
    fatal_.clear();
    auto portal = PortalConnection::open(*loop_, random_, options_, credentials_, [this](const std::string& sentence) {
                    fatal_ = sentence;
                  }).value();
    portal->start();
    if (row.pushed != nullptr) {
      ASSERT_TRUE(turn_until([&] { return portal->joined(); }));
      push(row.pushed);
    }
    ASSERT_TRUE(turn_until([this] { return !fatal_.empty(); }));
    EXPECT_THAT(fatal_, HasSubstr(row.sentence));
    EXPECT_EQ(fatal_.find("t0k"), std::string::npos);
  }
}

TEST_F(PortalConnectionTest, APortalThatIsOverloadedIsAskedAgain) {
  answer_ = {.status = 503, .body = "later"};
  portal_->start();
  ASSERT_TRUE(turn_until([this] { return targets_.size() == 2; }));
  answer_ = {};
  ASSERT_TRUE(turn_until([this] { return portal_->joined(); }));
  EXPECT_EQ(fatal_, "");
}

TEST_F(PortalConnectionTest, PatienceEnds) {
  options_.portal->patience = 1ms;
  answer_ = {.status = 503, .body = "later"};
  portal_ = PortalConnection::open(*loop_, random_, options_, credentials_, [this](const std::string& sentence) {
              fatal_ = sentence;
            }).value();
  portal_->start();
  ASSERT_TRUE(turn_until([this] { return !fatal_.empty(); }));
  EXPECT_THAT(fatal_, HasSubstr("gave up after too many attempts: the portal answered 503"));
}

}  // namespace
}  // namespace fireline::relay
