// When requests are sent again and given up, and their exact bytes.
#include "core/turn/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "tests/unit/core/turn/turn_fixture.h"

namespace fireline::turn {
namespace {
using ::testing::ElementsAre;

std::vector<std::byte> from_hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') digits += c;
  }
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

struct Transmission {
  Duration at;
  stun::TransactionId id;
};

// Every transmission of one request, and when it was given up.
std::pair<std::vector<Transmission>, Duration> life_of(const Request& made) {
  SeededRandom random;
  Requests requests(random);
  const Instant start(50s);
  requests.add(start, made);
  std::vector<Transmission> transmissions;
  Instant time = start;
  for (;;) {
    while (const Request* request = requests.next_unsent(true)) transmissions.push_back({time - start, request->id});
    const auto due = requests.next_due();
    EXPECT_TRUE(due && *due > time);
    time = due.value();
    if (requests.handle_due(time)) return {transmissions, time - start};
  }
}

std::pair<std::vector<Transmission>, Duration> life_of(RequestKind kind) {
  Request request;
  request.kind = kind;
  return life_of(request);
}

std::vector<Duration> times_of(const std::vector<Transmission>& transmissions) {
  std::vector<Duration> times;
  for (const auto& transmission : transmissions) times.push_back(transmission.at);
  return times;
}

TEST(Request, IsSentAt0And1And2_5And4_75SecondsAndGivenUpAt8_125) {
  for (const RequestKind kind : {RequestKind::binding, RequestKind::allocate, RequestKind::refresh, RequestKind::remove,
                                 RequestKind::channel_bind}) {
    const auto [transmissions, given_up] = life_of(kind);
    EXPECT_THAT(times_of(transmissions), ElementsAre(0ms, 1000ms, 2500ms, 4750ms));
    EXPECT_EQ(given_up, 8125ms);
  }
}

TEST(Request, AProbeIsSentOnceAndGivenUpAfterOneSecond) {
  const auto [transmissions, given_up] = life_of(RequestKind::probe);
  EXPECT_THAT(times_of(transmissions), ElementsAre(0ms));
  EXPECT_EQ(given_up, 1000ms);
}

TEST(Request, ASuspicionsProbeIsSentTwiceUnderOneTransactionId) {
  Request request;
  request.kind = RequestKind::probe;
  request.suspicion = true;
  request.budget = 400ms;
  const auto [transmissions, given_up] = life_of(request);
  EXPECT_THAT(times_of(transmissions), ElementsAre(0ms, 200ms));
  EXPECT_EQ(given_up, 400ms);
  EXPECT_EQ(transmissions.front().id, transmissions.back().id) << "an answer to the first one counts until the end";
}

TEST(Request, ASuspicionsProbeIsSentTwiceHoweverLateTheTurnIs) {
  SeededRandom random;
  Requests requests(random);
  const Instant start(50s);
  requests.add(start, {.kind = RequestKind::probe, .suspicion = true, .budget = 400ms});
  EXPECT_NE(requests.next_unsent(true), nullptr);
  EXPECT_FALSE(requests.handle_due(start + 500ms).has_value());
  EXPECT_NE(requests.next_unsent(true), nullptr);
  EXPECT_EQ(requests.next_due(), start + 700ms) << "half of its time later";
  EXPECT_FALSE(requests.handle_due(start + 700ms - 1ns).has_value());
  EXPECT_TRUE(requests.handle_due(start + 700ms).has_value());
}

TEST(Request, ABindingKeepsItsTransactionId) {
  const auto [transmissions, given_up] = life_of(RequestKind::binding);
  for (const auto& transmission : transmissions) EXPECT_EQ(transmission.id, transmissions.front().id);
}

TEST(Request, AnAuthenticatedOneHasANewTransactionIdEachTime) {
  const auto [transmissions, given_up] = life_of(RequestKind::allocate);
  std::set<stun::TransactionId> ids;
  for (const auto& transmission : transmissions) ids.insert(transmission.id);
  EXPECT_EQ(ids.size(), 4u);
}

TEST(Request, AnswersToEarlierTransmissionsAreUnknown) {
  SeededRandom random;
  Requests requests(random);
  requests.add(Instant(0s), {.kind = RequestKind::allocate});
  const stun::TransactionId first = requests.next_unsent(false)->id;
  EXPECT_FALSE(requests.handle_due(Instant(1s)));
  EXPECT_EQ(requests.find(first), nullptr);
  EXPECT_NE(requests.find(requests.next_unsent(false)->id), nullptr);
}

TEST(Request, ChannelBindsAreLimitedAndOthersAreNot) {
  SeededRandom random;
  Requests requests(random);
  for (std::size_t i = 0; i < kChannelBindsMax; ++i) requests.add(Instant(0s), {.kind = RequestKind::channel_bind});
  EXPECT_FALSE(requests.room_for_bind());
  requests.add(Instant(0s), {.kind = RequestKind::refresh});
  EXPECT_EQ(requests.size(), kChannelBindsMax + 1);
  const stun::TransactionId id = requests.next_unsent(false)->id;
  requests.take(*requests.find(id));
  EXPECT_TRUE(requests.room_for_bind());
}

TEST(Request, WhatIsClearedLeavesItsRoom) {
  SeededRandom random;
  Requests requests(random);
  for (void (Requests::* const clear)() noexcept : {&Requests::clear, &Requests::clear_authenticated}) {
    for (std::size_t i = 0; i < kChannelBindsMax; ++i) requests.add(Instant(0s), {.kind = RequestKind::channel_bind});
    EXPECT_FALSE(requests.room_for_bind());
    (requests.*clear)();
    EXPECT_TRUE(requests.room_for_bind());
    EXPECT_EQ(requests.next_unsent(false), nullptr);
  }
}

// The exact bytes.
constexpr std::string_view kHeaderRest = "2112a4420102030405060708090a0b0c";
constexpr std::string_view kSessionSoftware =
    "snownet; session=B808F41E0FE128FA15B35E8361358749E853BA98C11512A274F03BC7C09D65F6";
constexpr std::string_view kSoftwareHex =
    "80220051736e6f776e65743b2073657373696f6e3d4238303846343145304645313238464131354233354538333631333538373439"
    "4538353342413938433131353132413237344630334243374330394436354636000000";
constexpr std::string_view kUserHex = "0006001b313736333630303030303a3031323334353637383961626364656600";
constexpr std::string_view kRealmHex = "0014000866697265 7a6f6e65";
constexpr std::string_view kNonceHex =
    "0015002434613062306530632d303030302d343030302d383030302d303030303030303030303031";
constexpr std::string_view kAskHex = "00190004110000008000000402000000";

Request request_with_vector_id(RequestKind kind) {
  Request request{.kind = kind};
  for (std::size_t i = 0; i < request.id.size(); ++i) request.id[i] = static_cast<std::byte>(i + 1);
  return request;
}

std::vector<std::byte> written(const Request& request, std::string_view nonce) {
  const Credentials credentials(kUsername, kPassword);
  std::vector<std::byte> out(kMaxRequestBytes);
  out.resize(write_request(request, kSessionSoftware, &credentials, nonce, out));
  return out;
}

std::string hex_of(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const auto part : parts) text += part;
  return text;
}

TEST(RequestMessage, LongTermKeyOfTheVector) {
  const Credentials credentials(kUsername, kPassword);
  EXPECT_TRUE(std::ranges::equal(credentials.key(), from_hex("18795571d6b4d328d9577837be639ab9")));
}

TEST(RequestMessage, BytesOfTheVectors) {
  Request bind = request_with_vector_id(RequestKind::channel_bind);
  bind.peer = kPeer4;
  bind.channel = 0x4000;
  const struct {
    std::string_view rule;
    Request request;
    std::string_view nonce;
    std::size_t bytes;
    std::string hex;
  } rows[] = {
      {"first Allocate: everything but NONCE", request_with_vector_id(RequestKind::allocate), "", 192,
       hex_of({"000300ac", kHeaderRest, kAskHex, kSoftwareHex, kUserHex, kRealmHex,
               "00080014 7efb214772dab1cf343e20ba5863bd27c1a1d523"})},
      {"second Allocate: NONCE behind REALM", request_with_vector_id(RequestKind::allocate), kNonce, 232,
       hex_of({"000300d4", kHeaderRest, kAskHex, kSoftwareHex, kUserHex, kRealmHex, kNonceHex,
               "00080014 493123fd4d621a969c21fb342d41a452c6023820"})},
      {"ChannelBind: peer, then number", bind, kNonce, 236,
       hex_of({"000900d8", kHeaderRest, "001200080001ec83e721c045 000c000440000000", kSoftwareHex, kUserHex, kRealmHex,
               kNonceHex, "00080014 7d3d0029cdd092b98458ac2ded59267191ce0fdc"})},
      {"Binding: SOFTWARE alone", request_with_vector_id(RequestKind::binding), kNonce, 108,
       hex_of({"00010058", kHeaderRest, kSoftwareHex})},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto bytes = written(row.request, row.nonce);
    EXPECT_EQ(bytes.size(), row.bytes);
    EXPECT_EQ(bytes, from_hex(row.hex));
  }
}

std::vector<Attribute> attributes_of(RequestKind kind) {
  const auto bytes = written(request_with_vector_id(kind), kNonce);
  std::vector<Attribute> types;
  stun::MessageView::parse(bytes)->for_each([&](Attribute type, ConstBytes) { types.push_back(type); });
  return types;
}

TEST(RequestMessage, ARefreshAsksLikeAnAllocateAndNamesNoLifetime) {
  for (const RequestKind kind : {RequestKind::refresh, RequestKind::probe}) {
    EXPECT_THAT(attributes_of(kind),
                ElementsAre(Attribute::requested_transport, Attribute::additional_address_family, Attribute::software,
                            Attribute::username, Attribute::realm, Attribute::nonce, Attribute::message_integrity));
  }
}

TEST(RequestMessage, RemovingAddsLifetimeZeroBehindSoftware) {
  EXPECT_THAT(attributes_of(RequestKind::remove),
              ElementsAre(Attribute::requested_transport, Attribute::additional_address_family, Attribute::software,
                          Attribute::lifetime, Attribute::username, Attribute::realm, Attribute::nonce,
                          Attribute::message_integrity));
}

TEST(RequestMessage, TheLongestOneFits) {
  Request request = request_with_vector_id(RequestKind::channel_bind);
  request.peer = kPeer6;
  request.channel = stun::kMaxChannel;
  const Credentials credentials(std::string(stun::kMaxUsernameBytes, 'u'), "p");
  std::string nonce;
  for (std::size_t i = 0; i < stun::kMaxTextCharacters; ++i) nonce += "\xF0\x9F\x90\x88";
  std::vector<std::byte> out(kMaxRequestBytes);
  EXPECT_GT(write_request(request, std::string(127, 's'), &credentials, nonce, out), 1200u);
}

}  // namespace
}  // namespace fireline::turn
