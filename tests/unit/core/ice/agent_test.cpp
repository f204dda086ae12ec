// One agent: the bytes that it sends, what it accepts and drops, and what it tells its owner.
#include "core/ice/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/stun/integrity.h"
#include "core/stun/message_writer.h"
#include "tests/unit/core/ice/virtual_network.h"

namespace fireline::ice {
namespace {

using std::chrono::seconds;

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(b) >> 4];
    text += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

constexpr const char* kRequest =
    "000100482112a4420102030405060708090a0b0c000600096e6b34363a6c6c7165000000802a00080102030405060708002400046efffeff"
    "00250000000800141dd014ff8eba04c8d69b4b272dbe61e06651e93380280004d5b89c73";
constexpr const char* kResponse =
    "0101002c2112a4420102030405060708090a0b0c002000080001ec83e112a6480008001435e33d4280d1e90a9477882b180cebf496a0fda2"
    "80280004131e27a3";

constexpr Instant kNow = Instant{} + seconds(1);

// The specification's vectors: the client's second request nominates, and the gateway answers it.
TEST(Agent, WritesTheSpecificationsRequestAndResponse) {
  Side client(client_settings(), 1, {0x0102030405060708, 0x1111, 0x05060708090A0B0C});
  Side gateway(gateway_settings(), 2);
  client.agent.add_local(kNow, host("192.0.2.10:52625"));
  gateway.agent.add_local(kNow, host("198.51.100.7:52625"));
  client.agent.add_remote(kNow, announced(host("198.51.100.7:52625")));
  const auto exchange = [&] {
    const auto request = client.drain(kNow).front();
    gateway.agent.handle_binding(kNow, at("192.0.2.10:52625"), at("198.51.100.7:52625"), request.view());
    const auto response = gateway.drain(kNow).front();
    client.agent.handle_binding(kNow, at("198.51.100.7:52625"), at("192.0.2.10:52625"), response.view());
    return std::pair(hex(request.bytes), hex(response.bytes));
  };
  EXPECT_EQ(exchange().first.find("00250000"), std::string::npos) << "nothing is nominated yet";
  const auto [request, response] = exchange();
  EXPECT_EQ(request, kRequest);
  EXPECT_EQ(response, kResponse);
}

// A gateway with one host candidate.
struct Gateway : testing::Test {
  Gateway() { side.agent.add_local(kNow, host("198.51.100.7:52625")); }
  bool receive(const RequestOptions& options, const char* source = "192.0.2.10:52625",
               const char* destination = "198.51.100.7:52625") {
    const auto bytes = write_request(options);
    const bool used = side.agent.handle_binding(kNow, at(source), at(destination), *stun::MessageView::parse(bytes));
    answers = side.drain(kNow);
    return used;
  }
  Side side{gateway_settings(), 1};
  std::vector<Sent> answers;
};

struct DropRow {
  const char* rule;
  RequestOptions request;
  const char* destination;
  AgentCounter counter;
  const char* source = "192.0.2.10:52625";
};

constexpr const char* kHere = "198.51.100.7:52625";

const DropRow kDrops[] = {
    {"no user name", {.username = ""}, kHere, AgentCounter::drop_no_username},
    {"a user name without second half", {.username = "nk46:"}, kHere, AgentCounter::drop_no_username},
    {"a user name without colon", {.username = "nk46"}, kHere, AgentCounter::drop_no_username},
    {"another receiver", {.username = "nk47:llqe"}, kHere, AgentCounter::drop_wrong_username},
    {"our fragment and another sender's", {.username = "nk46:llqf"}, kHere, AgentCounter::drop_wrong_username},
    {"the halves exchanged", {.username = "llqe:nk46"}, kHere, AgentCounter::drop_wrong_username},
    {"no priority", {.priority = false}, kHere, AgentCounter::drop_no_priority},
    {"not signed", {.integrity = false}, kHere, AgentCounter::drop_no_integrity},
    {"signed with the sender's password",
     {.password = "jio6xwffz6i3ixgub3h4n5"},
     kHere,
     AgentCounter::drop_wrong_integrity},
    {"an indication", {.message_class = stun::MessageClass::indication}, kHere, AgentCounter::drop_indication},
    {"an indication without user name",
     {.username = "", .message_class = stun::MessageClass::indication},
     kHere,
     AgentCounter::drop_indication},
    {"an error response", {.message_class = stun::MessageClass::error}, kHere, AgentCounter::drop_error_response},
    {"a response to nothing",
     {.message_class = stun::MessageClass::success},
     kHere,
     AgentCounter::drop_unknown_transaction},
    {"another method", {.method = stun::Method::allocate}, kHere, AgentCounter::drop_not_binding},
    {"to an address that is no candidate", {}, "198.51.100.8:52625", AgentCounter::drop_unknown_destination},
    {"from an address that nobody can answer", {}, kHere, AgentCounter::drop_unusable_source, "224.0.0.1:9"},
    {"from another family than it arrived in", {}, kHere, AgentCounter::drop_unusable_source, "[2001:db8::1]:9"},
};

TEST_F(Gateway, DropsWhatIsNotForItAndCountsIt) {
  for (const auto& row : kDrops) {
    SCOPED_TRACE(row.rule);
    const auto before = side.count(row.counter);
    EXPECT_FALSE(receive(row.request, row.source, row.destination));
    EXPECT_EQ(side.count(row.counter), before + 1);
    EXPECT_TRUE(answers.empty());
    EXPECT_TRUE(side.agent.remote_candidates().empty()) << "nothing is learnt from it";
  }
  std::uint64_t drops = 0;
  side.counters.for_each([&](std::string_view name, std::uint64_t value) {
    if (name.starts_with("ice.drop.")) drops += value;
  });
  EXPECT_EQ(drops, std::size(kDrops)) << "each exactly once";
}

TEST_F(Gateway, AnswersBeforeAnyRemoteCandidateWasSignalled) {
  EXPECT_TRUE(receive({}));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].view().message_class(), stun::MessageClass::success) << "the answer first";
  EXPECT_EQ(answers[0].transmit.source, at(kHere)) << "from where the request arrived";
  EXPECT_EQ(answers[0].transmit.destination, at("192.0.2.10:52625"));
  EXPECT_FALSE(answers[0].view().has(stun::Attribute::username));
  EXPECT_TRUE(answers[1].is_request) << "and its own check of the new pair";
  EXPECT_EQ(side.agent.remote_candidates().front().candidate.priority, 1862270719u) << "as PRIORITY says";
}

TEST_F(Gateway, IgnoresUnknownAttributes) {
  EXPECT_TRUE(receive({.unknown_attributes = true}));
  EXPECT_EQ(answers.front().view().message_class(), stun::MessageClass::success);
}

TEST_F(Gateway, UseCandidateNominatesAndBringsOnePlainCheckAtOnce) {
  receive({});
  EXPECT_FALSE(side.agent.path().has_value());
  receive({.use_candidate = true});
  EXPECT_TRUE(side.uses(kHere, "192.0.2.10:52625"));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[1].is_request);
  EXPECT_FALSE(answers[1].nominates);
  receive({.use_candidate = true});
  EXPECT_EQ(answers.size(), 1u) << "only the answer";
}

TEST_F(Gateway, TakesTheBestOfTheNominatedPairs) {
  receive({.use_candidate = true}, "192.0.2.10:52625");
  auto better = host("192.0.2.11:52625");
  better.priority = 2130706175;
  side.agent.add_remote(kNow, announced(better));
  EXPECT_TRUE(side.uses(kHere, "192.0.2.10:52625")) << "it does not choose what was not nominated";
  receive({.use_candidate = true}, "192.0.2.11:52625");
  EXPECT_TRUE(side.uses(kHere, "192.0.2.11:52625"));
  receive({.use_candidate = true}, "192.0.2.10:52625");
  EXPECT_TRUE(side.uses(kHere, "192.0.2.11:52625"));
}

// The bytes of a request are valid for as long as the connection lives, from wherever they come.
TEST_F(Gateway, ARequestHeardAndSentAgainFromElsewhereMovesNoData) {
  const char* const there = "192.0.2.10:52625";
  side.agent.add_remote(kNow, announced(reflexive(there, "10.0.0.7:52625")));
  receive({.use_candidate = true}, there);
  const auto own_check = std::ranges::find(answers, true, &Sent::is_request);
  ASSERT_NE(own_check, answers.end());
  std::array<std::byte, kTransmitBytesMax> out;
  stun::MessageWriter writer(out, stun::MessageClass::success, stun::Method::binding,
                             own_check->view().transaction_id());
  writer.add_xor_address(stun::Attribute::xor_mapped_address, at(kHere));
  writer.add_integrity(stun::short_term_key(gateway_settings().remote.password()));
  const std::vector<std::byte> answer(writer.message().begin(), writer.message().end());
  ASSERT_TRUE(side.agent.handle_binding(kNow, at(there), at(kHere), *stun::MessageView::parse(answer)));
  ASSERT_TRUE(side.uses(kHere, there));
  for (const char* elsewhere : {"203.0.113.66:9", "203.0.113.66:9"}) receive({.use_candidate = true}, elsewhere);
  EXPECT_TRUE(side.uses(kHere, there));
}

// The client's checks come every 25 s, the stranger's meanwhile.
TEST(AgentScenarios, ARequestHeardAndSentAgainWhileTheConnectionIsIdleMovesNoData) {
  VirtualNetwork net;
  net.add(net.client, {host("10.0.0.4:52625")});
  net.add(net.gateway, {host("198.51.100.7:52625")});
  net.run_for(std::chrono::seconds(30));
  net.set_timing(Pace::idle);
  net.run_for(std::chrono::seconds(60));
  std::vector<std::byte> heard;
  for (const Sent& one : net.client.sent) {
    if (one.is_request && one.nominates) heard = one.bytes;
  }
  ASSERT_FALSE(heard.empty());
  ASSERT_TRUE(net.gateway.agent.path().has_value());
  const Endpoint before = net.gateway.agent.path()->destination;
  for (int second = 0; second < 60; ++second) {
    net.run_for(std::chrono::seconds(1));
    if (second % 4 == 0) {
      net.gateway.agent.handle_binding(net.now(), at("192.0.2.66:666"), at("198.51.100.7:52625"),
                                       *stun::MessageView::parse(heard));
      net.gateway.drain(net.now());
    }
    ASSERT_TRUE(net.gateway.agent.path().has_value()) << second;
    EXPECT_EQ(net.gateway.agent.path()->destination, before) << second;
  }
}

// The stranger sends one request again and again and passes the gateway's own checks on to the client and the answers
// back, so that his pair has answered.
struct Passing : VirtualNetwork {
  Passing() {
    add_silently(client, {host("10.0.0.4:52625")});  // whose pair is discovered, as the stranger's is
    add(gateway, {host("198.51.100.7:52625")});
    run_for(std::chrono::seconds(30));
    const auto one = std::ranges::find_if(client.sent, [](const Sent& sent) { return sent.nominates; });
    if (one != client.sent.end()) heard = one->bytes;
    before = gateway.agent.path().value().destination;
  }

  void pass_for(Duration duration) {
    for (const Instant end = now() + duration; now() < end;) {
      run_for(std::chrono::milliseconds(100));
      tell_gateway(*stun::MessageView::parse(heard));
      for (const Sent& check : gateway.drain(now())) {
        if (!check.is_request || check.transmit.destination != stranger) continue;
        client.agent.handle_binding(now(), stranger, at("10.0.0.4:52625"), check.view());
        for (const Sent& answer : client.drain(now())) {
          if (!answer.is_request && answer.transmit.destination == stranger) tell_gateway(answer.view());
        }
      }
      ASSERT_EQ(gateway.agent.path().value().destination, before);
    }
    const auto is_strangers = [&](const Pair& pair) { return pair.destination == stranger && pair.answered; };
    EXPECT_TRUE(std::ranges::any_of(gateway.agent.pairs(), is_strangers)) << "else this tests nothing";
  }
  void tell_gateway(const stun::MessageView& message) {
    gateway.agent.handle_binding(now(), stranger, at("198.51.100.7:52625"), message);
  }

  const Endpoint stranger = at("192.0.2.66:666");
  std::vector<std::byte> heard;
  Endpoint before;
};

TEST(AgentScenarios, WhoPassesChecksOnGetsNoDataWhileTheClientSpeaks) {
  Passing net;
  net.pass_for(std::chrono::seconds(30));
}

TEST(AgentScenarios, WhoPassesChecksOnGetsNoDataOfAnIdleConnectionOrOneThatWakes) {
  for (const auto idle : {std::chrono::seconds(20), std::chrono::seconds(24), std::chrono::seconds(120)}) {
    SCOPED_TRACE(idle.count());
    Passing net;
    net.pass_for(std::chrono::seconds(10));
    net.set_timing(Pace::idle);
    net.pass_for(idle);
    // The gateway has a packet, which wakes the client; the first check of it is lost.
    net.gateway.agent.set_timing(net.now(), Pace::active);
    net.loses = [&](const Sent& sent) { return sent.is_request && sent.nominates; };
    net.client.agent.set_timing(net.now(), Pace::active);
    net.pass_for(std::chrono::seconds(1));
    net.loses = [](const Sent&) { return false; };
    net.pass_for(std::chrono::seconds(30));
  }
}

TEST_F(Gateway, RequestsFromAWithdrawnAddressAreIgnoredUntilItIsAnnouncedAgain) {
  const auto candidate = announced(host("192.0.2.10:52625"));
  side.agent.add_remote(kNow, candidate);
  receive({.use_candidate = true});
  ASSERT_TRUE(side.agent.path().has_value());
  EXPECT_TRUE(side.agent.invalidate_remote(kNow, candidate.candidate));
  EXPECT_FALSE(side.agent.path().has_value()) << "the nomination is looked at anew at once";
  EXPECT_TRUE(side.agent.pairs().empty());
  EXPECT_FALSE(receive({.use_candidate = true}));
  EXPECT_EQ(side.count(AgentCounter::drop_discarded_source), 1u);
  EXPECT_EQ(side.agent.add_remote(kNow, candidate), RemoteOutcome::re_enabled);
  EXPECT_TRUE(receive({.use_candidate = true}));
  EXPECT_TRUE(side.agent.path().has_value());
}

TEST_F(Gateway, AnInvalidationOfTheBaselineNeedNotRepeatPriorityAndUfrag) {
  auto candidate = announced(relayed("192.0.2.100:50000"), "llqe");
  candidate.candidate.priority = 37492479;
  EXPECT_EQ(side.agent.add_remote(kNow, candidate), RemoteOutcome::added);
  const auto invalidation = CandidateText::parse(
      "candidate:fffeff021a2b3c4d 1 udp 50331391 192.0.2.100 50000 typ relay raddr 0.0.0.0 rport 0");
  EXPECT_TRUE(side.agent.invalidate_remote(kNow, invalidation->candidate));
  EXPECT_TRUE(side.agent.pairs().empty());
}

TEST_F(Gateway, AnAddressAnnouncedTwiceSurvivesTheLossOfOneKind) {
  side.agent.add_remote(kNow, announced(host("203.0.113.9:52625")));
  side.agent.add_remote(kNow, announced(reflexive("203.0.113.9:52625", "203.0.113.9:52625")));
  ASSERT_EQ(side.agent.pairs().size(), 1u);
  side.agent.invalidate_remote(kNow, host("203.0.113.9:52625"));
  EXPECT_EQ(side.agent.pairs().size(), 1u);
}

TEST_F(Gateway, AnswersArriveInAnyNumberAndTheRestIsCounted) {
  for (std::size_t i = 0; i <= kResponsesMax; ++i) {
    const auto bytes = write_request({});
    side.agent.handle_binding(kNow, at("192.0.2.10:52625"), at(kHere), *stun::MessageView::parse(bytes));
  }
  EXPECT_EQ(side.agent.poll_timeout(), kNow);
  EXPECT_EQ(side.drain(kNow).size(), kResponsesMax + 1) << "and one check";
  EXPECT_EQ(side.count(AgentCounter::drop_responses_full), 1u);
  EXPECT_GT(side.agent.poll_timeout(), kNow);
}

TEST_F(Gateway, AFloodOfNewSourcesIsBounded) {
  for (unsigned i = 0; i < 1000; ++i) {
    const auto source = "10.1." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1) + ":1";
    receive({.use_candidate = true}, source.c_str());
  }
  EXPECT_LE(side.agent.pairs().size(), kPairsMax);
  EXPECT_LE(side.agent.remote_candidates().size(), kRemoteCandidatesMax);
  EXPECT_EQ(side.count(AgentCounter::requests_received) + side.count(AgentCounter::drop_candidates_full), 1000u);
  EXPECT_GT(side.count(AgentCounter::pairs_refused), 0u);
}

TEST_F(Gateway, WhatFindsNoPlaceIsRefusedAndCounted) {
  for (std::size_t i = 0; i < kRemoteCandidatesMax; ++i) {
    side.agent.add_remote(kNow, announced(host("10.1.0." + std::to_string(i + 1) + ":1")));
  }
  EXPECT_EQ(side.agent.add_remote(kNow, announced(host("10.2.0.1:1"))), RemoteOutcome::full);
  EXPECT_EQ(side.count(AgentCounter::candidates_refused), 1u);
  EXPECT_FALSE(receive({}));
  EXPECT_EQ(side.count(AgentCounter::drop_candidates_full), 1u);
}

TEST_F(Gateway, IsFoundByBothFragmentsAndIntegrity) {
  const auto accepts = [&](const RequestOptions& options) {
    const auto bytes = write_request(options);
    return side.agent.accepts(*stun::MessageView::parse(bytes));
  };
  EXPECT_TRUE(accepts({}));
  EXPECT_FALSE(accepts({.username = "nk46:aaaa"})) << "two connections of one gateway may share the local fragment";
  EXPECT_FALSE(accepts({.password = "other"}));
  EXPECT_FALSE(accepts({.username = ""}));
  EXPECT_FALSE(accepts({.message_class = stun::MessageClass::indication}));
  EXPECT_FALSE(accepts({.message_class = stun::MessageClass::success}));
}

TEST_F(Gateway, ResponsesAreFoundByTheTagOfTheirTransactionId) {
  side.agent.add_remote(kNow, announced(host("192.0.2.10:52625")));
  const auto id = side.drain(kNow).front().view().transaction_id();
  const auto bytes = write_request({.message_class = stun::MessageClass::success, .id = id});
  const auto view = *stun::MessageView::parse(bytes);
  const auto addressee = addressed_to(view);
  ASSERT_TRUE(std::holds_alternative<ToTag>(addressee));
  EXPECT_EQ(std::get<ToTag>(addressee).tag, gateway_settings().tag);
  EXPECT_TRUE(side.agent.accepts(view));
  EXPECT_FALSE(side.agent.handle_binding(kNow, at("192.0.2.10:52625"), at(kHere), view));
  EXPECT_EQ(side.count(AgentCounter::drop_no_mapped_address), 1u);
  EXPECT_EQ(side.agent.pairs().front().state, PairState::in_progress);
}

// A client with one host candidate whose peer has one.
struct Client : testing::Test {
  Client() {
    side.agent.add_local(kNow, host("192.0.2.10:52625"));
    side.agent.add_remote(kNow, announced(host("198.51.100.7:52625")));
    request = side.drain(kNow).front();
  }
  bool answer(std::string_view password, const char* source = "198.51.100.7:52625",
              const char* destination = "192.0.2.10:52625") {
    std::array<std::byte, kTransmitBytesMax> out;
    stun::MessageWriter writer(out, stun::MessageClass::success, stun::Method::binding,
                               request.view().transaction_id());
    writer.add_xor_address(stun::Attribute::xor_mapped_address, at("192.0.2.10:52625"));
    if (!password.empty()) writer.add_integrity(stun::short_term_key(password));
    const std::vector<std::byte> bytes(writer.message().begin(), writer.message().end());
    return side.agent.handle_binding(kNow, at(source), at(destination), *stun::MessageView::parse(bytes));
  }
  Side side{client_settings(), 1};
  Sent request{};
};

TEST_F(Client, AnAnswerMustBeSigned) {
  EXPECT_FALSE(answer(""));
  EXPECT_FALSE(answer("jio6xwffz6i3ixgub3h4n5"));
  EXPECT_FALSE(side.agent.path().has_value());
  EXPECT_EQ(side.count(AgentCounter::drop_no_integrity), 1u);
  EXPECT_EQ(side.count(AgentCounter::drop_wrong_integrity), 1u);
  EXPECT_TRUE(answer("yiuijlligg2km2kweghata"));
  EXPECT_TRUE(side.agent.path().has_value());
}

TEST_F(Client, AnAnswerThatTookAnotherWayProvesNothing) {
  struct Row {
    const char* source;
    const char* destination;
    const char* rule;
  };
  constexpr Row kRows[] = {
      {"203.0.113.77:9", "192.0.2.10:52625", "it comes from another address than the request went to"},
      {"198.51.100.7:12476", "192.0.2.10:52625", "it comes from another port"},
      {"198.51.100.7:52625", "192.0.2.11:52625", "it arrives at another address than the request came from"},
  };
  std::uint64_t dropped = 0;
  for (const Row& row : kRows) {
    EXPECT_FALSE(answer("yiuijlligg2km2kweghata", row.source, row.destination)) << row.rule;
    EXPECT_EQ(side.count(AgentCounter::drop_asymmetric), ++dropped) << row.rule;
    EXPECT_FALSE(side.agent.path().has_value()) << row.rule;
  }
  EXPECT_TRUE(answer("yiuijlligg2km2kweghata"));
  EXPECT_TRUE(side.uses("192.0.2.10:52625", "198.51.100.7:52625"));
}

TEST_F(Client, UseCandidateFromTheControlledSideIsIgnored) {
  const auto bytes =
      write_request({.username = "llqe:nk46", .password = "jio6xwffz6i3ixgub3h4n5", .use_candidate = true});
  EXPECT_FALSE(side.agent.handle_binding(kNow, at("198.51.100.7:52625"), at("192.0.2.10:52625"),
                                         *stun::MessageView::parse(bytes)));
  EXPECT_EQ(side.count(AgentCounter::drop_role), 1u);
  EXPECT_TRUE(side.drain(kNow).empty());
}

TEST(Agent, PairsOfOneRelayAreCheckedLikeAnyOther) {
  VirtualNetwork net;
  net.add(net.client, {relayed("192.0.2.100:50000")});
  net.add(net.gateway, {relayed("192.0.2.100:50001")});
  net.run_for(seconds(1));
  EXPECT_TRUE(net.client.uses("192.0.2.100:50000", "192.0.2.100:50001"));
  EXPECT_EQ(net.client.agent.path()->source_kind, CandidateKind::relayed);
}

TEST(Agent, HasNothingToDoWithoutPairs) {
  Side side(client_settings(), 1);
  EXPECT_EQ(side.agent.state(), AgentState::fresh);
  EXPECT_EQ(side.agent.poll_timeout(), std::nullopt);
  EXPECT_TRUE(side.drain(kNow).empty());
  side.agent.handle_timeout(kNow);
  EXPECT_EQ(side.agent.poll_timeout(), std::nullopt);
}

TEST(Credentials, AreOpaqueTextOfAnyLengthUpToTheLimit) {
  EXPECT_TRUE(Credentials::make("a", "b").has_value());
  EXPECT_TRUE(Credentials::make(std::string(kUfragBytesMax, 'u'), std::string(kPasswordBytesMax, 'p')).has_value());
  EXPECT_EQ(Credentials::make("", "b").error(), CredentialsError::empty);
  EXPECT_EQ(Credentials::make("a", "").error(), CredentialsError::empty);
  EXPECT_EQ(Credentials::make(std::string(kUfragBytesMax + 1, 'u'), "p").error(), CredentialsError::too_long);
  EXPECT_EQ(Credentials::make("a:b", "p").error(), CredentialsError::bad_character);
  EXPECT_TRUE(*Credentials::make("a", "b") == *Credentials::make("a", "b"));
  EXPECT_FALSE(*Credentials::make("a", "b") == *Credentials::make("a", "c"));
  EXPECT_FALSE(*Credentials::make("a", "b") == *Credentials::make("c", "b"));
}

TEST(Credentials, OfTheGreatestLengthFitIntoADatagram) {
  const auto settings = AgentSettings{
      Role::controlling, *Credentials::make(std::string(kUfragBytesMax, 'u'), std::string(kPasswordBytesMax, 'p')),
      *Credentials::make(std::string(kUfragBytesMax, 'v'), std::string(kPasswordBytesMax, 'q')), 1};
  Side side(settings, 1);
  side.agent.add_local(kNow, host("10.0.0.4:52625"));
  side.agent.add_remote(kNow, announced(host("198.51.100.7:52625")));
  std::array<std::byte, kTransmitBytesMax> out;
  const auto transmit = side.agent.poll_transmit(out);
  ASSERT_TRUE(transmit.has_value());
  EXPECT_GT(transmit->bytes, 550u);
}

}  // namespace
}  // namespace fireline::ice
