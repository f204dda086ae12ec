// What unauthenticated senders get: a bounded length, a bounded rate for each source and in total, else silence.
#include <gtest/gtest.h>

#include <algorithm>

#include "relay/protocol/answer_limiter.h"
#include "tests/unit/core/crypto/hex.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

const std::string kBinding = "000100002112a442000000000000000000000001";

// `count` bare Bindings at this moment; how many were answered.
int answered(Relay& relay, std::string_view source, int count) {
  int answers = 0;
  for (int i = 0; i < count; ++i) answers += relay.send(at(source), crypto::from_hex(kBinding)).has_value() ? 1 : 0;
  return answers;
}

struct LengthRow {
  std::string_view rule;
  std::string_view client;
  std::string hex;
  std::size_t bytes;  // of the answer; 0: silence
  bool software;
  bool reason;
};
const LengthRow kLengths[] = {
    {"a bare Binding over IPv4 has room for SOFTWARE", "198.51.100.7:1", kBinding, 60, true, false},
    {"a bare Binding over IPv6 has not", "[2001:db8:c::7]:1", kBinding, 44, false, false},
    {"a bare request of an unknown method loses it, too", "198.51.100.7:1", "0002" + kBinding.substr(4), 40, false,
     true},
    {"a bare Refresh cannot be answered 401 at all", "198.51.100.7:1", "0004" + kBinding.substr(4), 0, false, false},
    {"the 28 bytes of a first Allocate get their nonce", "198.51.100.7:1",
     "00030008" + kBinding.substr(8) + "00190004 11000000", 80, false, false},
};

TEST(AnswerLength, IsAtMost32TenthsOfTheRequest) {
  for (const LengthRow& row : kLengths) {
    SCOPED_TRACE(row.rule);
    ServerConfig config = firezone_config();
    config.limits = Limits{};
    Relay relay(config);
    const auto request = crypto::from_hex(row.hex);
    const auto answer = relay.send(at(row.client), request);
    ASSERT_EQ(answer.has_value(), row.bytes > 0);
    relay.expect_consistent();
    if (!answer) {
      EXPECT_EQ(relay.count(ServerCounter::drop_control_answer_size), 1u);
      continue;
    }
    EXPECT_EQ(answer->size(), row.bytes);
    EXPECT_LE(answer->size() * 10, request.size() * 32);
    const auto message = stun::MessageView::parse(*answer);
    EXPECT_EQ(message->has(stun::Attribute::software), row.software);
    const auto error = message->find_error_code();
    EXPECT_EQ(error && !error->reason.empty(), row.reason);
  }
}

TEST(AnswerLength, OfOurOwnSoftwareTextStillFitsABareBinding) {
  ServerConfig config = firezone_config();
  config.limits = Limits{};
  config.software = "fireline-relay; rev=12345678";
  Relay relay(config);
  const auto answer = relay.send(at("198.51.100.7:1"), crypto::from_hex(kBinding));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->size(), 64u);
}

TEST(AnswerLength, HoldsForWhatFirezonesClientsSend) {
  ServerConfig config = firezone_config();
  config.limits = Limits{};
  Relay relay(config);
  Client client(relay, "198.51.100.7:51820");
  ASSERT_EQ(client.allocate(), 0);
  EXPECT_TRUE(client.last.has_software);
}

TEST(AnswerRate, OfOneSourceIs200AtOnceAnd50EachSecond) {
  Relay relay;
  EXPECT_EQ(answered(relay, "198.51.100.7:1", 500), 200);
  EXPECT_EQ(relay.count(ServerCounter::drop_control_answer_rate_source), 300u);
  relay.advance(1s);
  EXPECT_EQ(answered(relay, "198.51.100.7:2", 500), 50) << "another port is the same source";
  relay.advance(10s);
  EXPECT_EQ(answered(relay, "198.51.100.7:1", 500), 200);
  EXPECT_EQ(answered(relay, "198.51.100.8:1", 500), 200) << "another address is another one";
  relay.expect_consistent();
}

TEST(AnswerRate, OfIpv6CountsBySlash64) {
  Relay relay;
  EXPECT_EQ(answered(relay, "[2001:db8:c:1::1]:1", 200), 200);
  EXPECT_EQ(answered(relay, "[2001:db8:c:1:ffff::2]:1", 10), 0);
  EXPECT_EQ(answered(relay, "[2001:db8:c:2::1]:1", 10), 10);
}

TEST(AnswerRate, InTotalIsBounded) {
  Relay relay;
  int answers = 0;
  for (int millisecond = 0; millisecond < 1000; ++millisecond) {
    for (int i = 0; i < 40; ++i) {
      const int source = millisecond * 40 + i;
      const std::string text = "198." + std::to_string(source >> 16) + "." + std::to_string(source >> 8 & 255) + "." +
                               std::to_string(source & 255) + ":1";
      answers += answered(relay, text, 1);
    }
    relay.advance(1ms);
  }
  EXPECT_LE(answers, 20000 + 2000);
  EXPECT_GE(answers, 20000 - 20);
  EXPECT_EQ(relay.count(ServerCounter::drop_control_answer_rate_total), 40000u - static_cast<unsigned>(answers));
  EXPECT_EQ(relay.server.gauges().answer_sources, 16384u) << "what is remembered is bounded";
  relay.expect_consistent();
}

TEST(AnswerRate, SourcesThatTheTotalLeavesUnansweredDriveNobodyOut) {
  ServerConfig config = firezone_config();
  config.limits.answers_per_second_total = 10;  // one at once
  config.limits.answer_sources = 2;
  config.limits.answers_burst_source = 1;
  Relay relay(config);
  EXPECT_EQ(answered(relay, "198.51.100.1:1", 1), 1);
  for (const char* other : {"198.51.100.2:1", "198.51.100.3:1", "198.51.100.4:1"}) {
    EXPECT_EQ(answered(relay, other, 1), 0);
  }
  EXPECT_EQ(relay.server.gauges().answer_sources, 1u);
}

TEST(AnswerRate, CountsEveryKindOfAnswerWithoutAuthentication) {
  for (const std::string type : {"0001", "0002", "0003", "0004"}) {
    SCOPED_TRACE(type);
    Relay relay;
    ASSERT_EQ(answered(relay, "198.51.100.7:1", 200), 200);
    EXPECT_FALSE(relay.send(at("198.51.100.7:1"), crypto::from_hex(type + kBinding.substr(4))).has_value());
    EXPECT_EQ(relay.server.gauges().nonces, 0u) << "no nonce is made for an answer that is not sent";
  }
}

TEST(AnswerRate, DoesNotTouchAuthenticatedClients) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  ASSERT_EQ(client.allocate(), 0);
  answered(relay, "198.51.100.7:1", 500);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(client.refresh(), 0);
  EXPECT_EQ(client.bind(0x4000, "127.0.0.1:1"), 403) << "errors to who is authenticated are no less";
}

TEST(AnswerRate, OfAClientWithAnAllocationIsNotThatOfStrangersBehindItsAddress) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_LE(answered(relay, "198.51.100.7:1", 500), 200);
  EXPECT_EQ(answered(relay, "198.51.100.7:51820", 500), 20) << "but bounded all the same: the source may be forged";
  relay.advance(1s);
  answered(relay, "198.51.100.7:1", 500);
  EXPECT_EQ(answered(relay, "198.51.100.7:51820", 500), 10);
}

}  // namespace
}  // namespace fireline::relay
