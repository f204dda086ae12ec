#include "tools/node/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/io/temporary_directory.h"

namespace fireline::lab {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using Role = node::NodeRole;

Record candidates(std::string session, std::vector<std::string> texts) {
  return {.session = std::move(session), .connect = {}, .candidates = std::move(texts), .invalidated = {}};
}

// The two ends in one loop; what each heard, as session and first candidate.
class Ends : public ::testing::Test {
 protected:
  std::unique_ptr<Exchange> open(Role role, std::vector<std::string>& heard) {
    auto exchange = Exchange::open(*loop_, directory_.path() + "/meet", role, [&heard](const Record& record) {
      heard.push_back(record.session + (record.candidates.empty() ? "" : " " + record.candidates[0]));
    });
    EXPECT_TRUE(exchange) << exchange.error();
    return std::move(*exchange);
  }
  void turn_until(const std::vector<std::string>& heard, std::size_t count) {
    for (int turn = 0; turn < 1200 && heard.size() < count; ++turn) loop_->turn(50ms);
  }

  const io::TemporaryDirectory directory_;
  std::unique_ptr<io::EventLoop> loop_ = io::EventLoop::make().value();
  std::vector<std::string> by_client_, by_gateway_;
};

TEST_F(Ends, HearEachOther) {
  const auto client = open(Role::client, by_client_);
  EXPECT_TRUE(client->write(candidates("s1", {"before the gateway was there"})));
  const auto gateway = open(Role::gateway, by_gateway_);
  turn_until(by_gateway_, 1);
  EXPECT_TRUE(client->write(candidates("s1", {"after"})));
  turn_until(by_gateway_, 2);
  EXPECT_THAT(by_gateway_, ElementsAre("s1 before the gateway was there", "s1 after"));
  EXPECT_TRUE(gateway->write(candidates("s1", {"hello"})));
  turn_until(by_client_, 1);
  EXPECT_THAT(by_client_, ElementsAre("s1 hello"));
}

TEST_F(Ends, ARestartedWriterIsFollowedFromItsBeginning) {
  const auto gateway = open(Role::gateway, by_gateway_);
  auto client = open(Role::client, by_client_);
  client->write(candidates("old", {"a longer line than the new one"}));
  turn_until(by_gateway_, 1);
  client.reset();
  client = open(Role::client, by_client_);
  client->write(candidates("new", {"x"}));
  turn_until(by_gateway_, 2);
  EXPECT_THAT(by_gateway_, ElementsAre("old a longer line than the new one", "new x"));
}

TEST_F(Ends, WhatIsNoRecordIsSkippedAndAnEndlessLineEndsIt) {
  const auto gateway = open(Role::gateway, by_gateway_);
  const auto client = open(Role::client, by_client_);
  std::ofstream file(directory_.path() + "/meet/client.jsonl", std::ios::app);
  const auto good = to_line(candidates("s", {"good"}));
  file << "no JSON\n" << good.substr(0, 10) << std::flush;
  for (int turn = 0; turn < 3; ++turn) loop_->turn(20ms);
  EXPECT_TRUE(by_gateway_.empty()) << "half a line waits";
  file << good.substr(10) << std::flush;
  turn_until(by_gateway_, 1);
  file << std::string(kRecordBytesMax * 2, 'x') << '\n' << to_line(candidates("s", {"late"})) << std::flush;
  for (int turn = 0; turn < 3; ++turn) loop_->turn(20ms);
  EXPECT_THAT(by_gateway_, ElementsAre("s good"));
}

TEST(Record, IntentsCrossWhole) {
  const Intent intent{.client_key = {{std::byte{7}}},
                      .client = *ice::Credentials::make("cccc", "client-password"),
                      .gateway = *ice::Credentials::make("gggg", "gateway-password")};
  const auto line = to_line({.session = "s", .connect = intent, .candidates = {}, .invalidated = {"i1", "i2"}});
  ASSERT_TRUE(line.ends_with('\n'));
  const auto read = parse_record(std::string_view(line).substr(0, line.size() - 1));
  ASSERT_TRUE(read) << read.error();
  ASSERT_TRUE(read->connect);
  EXPECT_EQ(read->connect->client_key, intent.client_key);
  EXPECT_EQ(read->connect->client, intent.client);
  EXPECT_EQ(read->connect->gateway, intent.gateway);
  EXPECT_THAT(read->invalidated, ElementsAre("i1", "i2"));
}

TEST(Record, NamesWhatIsWrong) {
  for (const auto& [line, sentence] :
       {std::pair("{", ""), std::pair("{}", "session is missing"), std::pair("[1]", "session is missing"),
        std::pair(R"({"session":"s","candidates":[1]})", "candidates[0] is no string"),
        std::pair(R"({"session":"s","connect":{"key":"00"}})", "connect.client is missing")}) {
    const auto read = parse_record(line);
    ASSERT_FALSE(read) << line;
    EXPECT_THAT(read.error(), ::testing::HasSubstr(sentence));
  }
}

}  // namespace
}  // namespace fireline::lab
