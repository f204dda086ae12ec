#include "tools/common/portal_session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/websocket_server.h"

namespace fireline {
namespace {

using namespace std::chrono_literals;

// A portal that accepts whatever joins.
class PortalSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    io::WebSocketServerOptions options;
    options.endpoints = {*Endpoint::parse("127.0.0.1:0")};
    server_ = io::WebSocketServer::listen(
                  *loop_, options,
                  {.upgrade = [this](const io::WebSocketUpgrade&) { return answer_; },
                   .opened = [this](io::WebSocketId id) { connection_ = id; },
                   .text = [this](io::WebSocketId id, std::string_view text) { take(id, std::string(text)); },
                   .closed = [this](io::WebSocketId, const std::string&) { ++ends_; }})
                  .value();
    const auto port = std::to_string(server_->endpoints()[0].port);
    PortalSessionOptions session{.url = *portal::PortalUrl::parse("ws://127.0.0.1:" + port),
                                 .identity = {},
                                 .user_agent = "Debian/12.0.0 gateway/1.4.19",
                                 .give_up_after = {},
                                 .mark = {},
                                 .ca_file = {},
                                 .dns_servers = {}};
    session.identity.role = portal::Role::gateway;
    session.identity.token = crypto::SecretText("t0k");
    session_ = PortalSession::make(
                   *loop_, random_, std::move(session),
                   {.message = [this](std::string_view event, std::string_view) { events_.emplace_back(event); },
                    .fatal = [this](const std::string& sentence, bool) { fatal_ = sentence; },
                    .state = [this](bool joined) { states_.push_back(joined); },
                    .closed = [this] { closed_ = true; },
                    .lost = {}})
                   .value();
  }
  void take(io::WebSocketId id, std::string text) {
    const auto ref = text.rfind("\"ref\":");
    const std::string number = text.substr(ref + 6, text.find('}', ref) - ref - 6);
    if (text.find("phx_join") != std::string::npos) {
      server_->send(id, R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"topic":"gateway","ref":)" +
                            number + "}");
      server_->send(id, R"({"event":"init","payload":{},"topic":"gateway","ref":null})");
    }
    texts_.push_back(std::move(text));
  }
  template <class Condition>
  bool turn_until(Condition condition) {
    for (int i = 0; i < 12000 && !condition(); ++i) loop_->turn(5ms);
    return condition();
  }

  std::unique_ptr<io::EventLoop> loop_ = io::EventLoop::make().value();
  crypto::SystemRandom random_;
  io::WebSocketAnswer answer_;
  io::WebSocketId connection_ = io::WebSocketId::none;
  std::vector<std::string> texts_;
  std::vector<std::string> events_;
  std::vector<bool> states_;
  std::string fatal_;
  int ends_ = 0;
  bool closed_ = false;
  std::unique_ptr<io::WebSocketServer> server_;
  std::unique_ptr<PortalSession> session_;
};

TEST_F(PortalSessionTest, JoinsThenSendsAndReceives) {
  session_->send("hello", R"({"a":1})");  // before start(): nobody will have it
  session_->start();
  ASSERT_TRUE(turn_until([this] { return !events_.empty(); }));
  EXPECT_EQ(events_, std::vector<std::string>{"init"});
  EXPECT_EQ(states_, std::vector<bool>{true});
  EXPECT_TRUE(session_->status().joined);
  session_->send("hello", R"({"a":2})");
  session_->send("again", R"({"a":3})");
  ASSERT_TRUE(turn_until([this] { return texts_.size() == 3; }));
  EXPECT_NE(texts_[1].find("\"hello\""), std::string::npos);
  EXPECT_NE(texts_[2].find("\"again\""), std::string::npos);
  session_->close();
  EXPECT_TRUE(turn_until([this] { return closed_ && ends_ == 1; }));
}

TEST_F(PortalSessionTest, ALostConnectionIsMadeAnew) {
  session_->start();
  ASSERT_TRUE(turn_until([this] { return session_->status().joined; }));
  server_->close(connection_);
  EXPECT_TRUE(turn_until([this] { return events_.size() == 2; }));
  EXPECT_EQ(session_->status().attempts, 2u);
  EXPECT_FALSE(session_->status().last_error.empty());
}

TEST_F(PortalSessionTest, ATokenThatIsNoGoodIsFatal) {
  answer_ = {.status = 401, .body = "Invalid token"};
  session_->start();
  ASSERT_TRUE(turn_until([this] { return !fatal_.empty(); }));
  EXPECT_EQ(fatal_.find("t0k"), std::string::npos);
}

}  // namespace
}  // namespace fireline
