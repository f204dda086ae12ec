#include "core/wireguard/cookie.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <string_view>

#include "tests/unit/core/wireguard/handshake_fixture.h"

namespace fireline::wireguard {
namespace {

constexpr Instant kStart{1000s};
constexpr CookieRule kBothRules[] = {CookieRule::secret, CookieRule::period};

Endpoint endpoint(std::string_view text) {
  return Endpoint::parse(text).value();
}
bool all_zero(ConstBytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

// An initiator that was told to come with a cookie, and the responder that told it.
struct CookieScene {
  explicit CookieScene(CookieRule rule) : checker(pair.responder, rule, kStart, random) {}

  // Sends an initiation at `now`; its bytes are in `message`.
  MacFields send(Instant now, std::uint32_t sender_index = 1) {
    pair.initiate(message, sender_index);
    generator.add_macs(now, message);
    return MacFields::parse(message).value();
  }
  // The reply to the last message, sent at `now`.
  CookieReplyMessage reply(Instant now, const Endpoint& source) {
    return checker.create_reply(now, MacFields::parse(message).value(), source);
  }
  Result<void, CookieError> consume(Instant now, const CookieReplyMessage& reply_message) {
    return generator.consume_reply(now, CookieReplyView::parse(reply_message).value());
  }
  void obtain(Instant now, const Endpoint& source) {
    send(now);
    ASSERT_TRUE(consume(now, reply(now, source)));
  }

  HandshakePair pair;
  SeededRandom random{7};
  CookieChecker checker;
  CookieGenerator generator{pair.to_responder};
  InitiationMessage message{};
};

const Endpoint kSource = endpoint("192.0.2.1:1000");

TEST(Cookie, Mac1IsForTheReceiverAndCoversWhatComesBefore) {
  CookieScene scene(CookieRule::secret);
  scene.send(kStart);
  const InitiationMessage original = scene.message;
  EXPECT_TRUE(scene.checker.mac1_valid(MacFields::parse(original).value()));
  for (std::size_t offset = 4; offset < kInitiationBytes; ++offset) {
    InitiationMessage changed = original;
    changed[offset] ^= std::byte{1};
    const bool covered = offset < 132;  // mac2 is for the loaded responder alone
    EXPECT_EQ(scene.checker.mac1_valid(MacFields::parse(changed).value()), !covered) << "byte " << offset;
  }
  CookieChecker other(scene.pair.initiator, CookieRule::secret, kStart, scene.random);
  EXPECT_FALSE(other.mac1_valid(MacFields::parse(original).value())) << "a message to somebody else";
}

TEST(Cookie, AResponseCarriesMacsToo) {
  CookieScene scene(CookieRule::secret);
  InitiationMessage initiation;
  scene.pair.initiate(initiation);
  ResponseMessage response;
  scene.pair.respond(scene.pair.open(initiation).value(), response, 42);
  CookieChecker initiators(scene.pair.initiator, CookieRule::secret, kStart, scene.random);
  CookieGenerator responders(scene.pair.to_initiator);
  responders.add_macs(kStart, response);
  const auto macs = MacFields::parse(response).value();
  EXPECT_TRUE(initiators.mac1_valid(macs));
  EXPECT_FALSE(initiators.mac2_valid(kStart, macs, kSource));

  const auto reply = initiators.create_reply(kStart, macs, kSource);
  EXPECT_EQ(CookieReplyView::parse(reply).value().receiver_index(), 42u);
  ASSERT_TRUE(responders.consume_reply(kStart, CookieReplyView::parse(reply).value()));
  responders.add_macs(kStart, response);
  EXPECT_TRUE(initiators.mac2_valid(kStart, MacFields::parse(response).value(), kSource));
}

TEST(Cookie, WithoutCookieMac2IsZeroAndNotValid) {
  for (const CookieRule rule : kBothRules) {
    CookieScene scene(rule);
    const MacFields macs = scene.send(kStart);
    EXPECT_TRUE(all_zero(macs.mac2));
    EXPECT_FALSE(scene.generator.has_cookie(kStart));
    EXPECT_FALSE(scene.checker.mac2_valid(kStart, macs, kSource));
  }
}

TEST(Cookie, TheNextMessageCarriesTheCookie) {
  for (const CookieRule rule : kBothRules) {
    CookieScene scene(rule);
    scene.obtain(kStart, kSource);
    EXPECT_TRUE(scene.generator.has_cookie(kStart));
    const MacFields macs = scene.send(kStart + 5s, 2);
    EXPECT_TRUE(scene.checker.mac1_valid(macs));
    EXPECT_TRUE(scene.checker.mac2_valid(kStart + 5s, macs, kSource));
    InitiationMessage changed = scene.message;
    changed[120] ^= std::byte{1};  // in mac1, which mac2 covers
    EXPECT_FALSE(scene.checker.mac2_valid(kStart + 5s, MacFields::parse(changed).value(), kSource));
  }
}

TEST(Cookie, ACookieIsForOneSource) {
  struct Row {
    std::string_view rule;
    std::string_view source;
    bool by_secret;  // valid under CookieRule::secret, which binds address and port
    bool by_period;  // valid under CookieRule::period, which binds the address
  };
  const Row rows[] = {
      {"the same endpoint", "192.0.2.1:1000", true, true},
      {"another port of the address", "192.0.2.1:1001", false, true},
      {"another address", "192.0.2.2:1000", false, false},
      {"an IPv6 address that starts with the same bytes", "[c000:201::]:1000", false, true},
      {"another IPv6 address", "[2001:db8::1]:1000", false, false},
  };
  for (const CookieRule rule : kBothRules) {
    CookieScene scene(rule);
    scene.obtain(kStart, kSource);
    const MacFields macs = scene.send(kStart);
    for (const Row& row : rows) {
      EXPECT_EQ(scene.checker.mac2_valid(kStart, macs, endpoint(row.source)),
                rule == CookieRule::secret ? row.by_secret : row.by_period)
          << row.rule;
    }
  }
}

TEST(Cookie, TheInitiatorForgetsItAfterTwoMinutes) {
  struct Row {
    Duration age;
    bool held;
  };
  for (const Row& row : {Row{0s, true}, Row{120s - 1ns, true}, Row{120s, false}, Row{1h, false}}) {
    CookieScene scene(CookieRule::period);
    scene.obtain(kStart, kSource);
    EXPECT_EQ(scene.generator.has_cookie(kStart + row.age), row.held);
    EXPECT_EQ(all_zero(scene.send(kStart + row.age).mac2), !row.held);
  }
}

TEST(Cookie, TheResponderChangesItsSecretAfterTwoMinutes) {
  CookieScene scene(CookieRule::secret);
  scene.obtain(kStart + 60s, kSource);
  const MacFields macs = scene.send(kStart + 60s);
  EXPECT_TRUE(scene.checker.mac2_valid(kStart + 120s - 1ns, macs, kSource));
  EXPECT_FALSE(scene.checker.mac2_valid(kStart + 120s, macs, kSource)) << "60 s old, but of the secret before";
  EXPECT_FALSE(scene.checker.mac2_valid(kStart + 60s, macs, kSource)) << "the old secret is gone for good";
}

TEST(Cookie, ThePeriodsAre128SecondsFromTheStart) {
  CookieScene scene(CookieRule::period);
  scene.obtain(kStart + 100s, kSource);
  const MacFields macs = scene.send(kStart + 100s);
  EXPECT_TRUE(scene.checker.mac2_valid(kStart + 128s - 1ns, macs, kSource));
  EXPECT_FALSE(scene.checker.mac2_valid(kStart + 128s, macs, kSource));
  scene.obtain(kStart + 128s, kSource);
  EXPECT_TRUE(scene.checker.mac2_valid(kStart + 256s - 1ns, scene.send(kStart + 200s), kSource));
}

TEST(Cookie, RepliesThatAreRefused) {
  CookieScene scene(CookieRule::secret);
  scene.pair.initiate(scene.message);
  const auto early = scene.reply(kStart, kSource);
  auto result = scene.consume(kStart, early);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), CookieError::nothing_sent);

  scene.send(kStart, 0x01000001);
  const auto good = scene.reply(kStart, kSource);
  for (std::size_t offset = 4; offset < kCookieReplyBytes; ++offset) {
    CookieReplyMessage changed = good;
    changed[offset] ^= std::byte{1};
    result = scene.consume(kStart, changed);
    ASSERT_FALSE(result) << "byte " << offset;
    EXPECT_EQ(result.error(), offset < 8 ? CookieError::wrong_index : CookieError::not_authentic) << "byte " << offset;
  }
  EXPECT_FALSE(scene.generator.has_cookie(kStart));
  EXPECT_TRUE(scene.consume(kStart, good)) << "forged ones do not take the place of the good one";
  result = scene.consume(kStart, good);
  ASSERT_FALSE(result) << "a copy";
  EXPECT_EQ(result.error(), CookieError::nothing_sent);
}

TEST(Cookie, AReplyIsForTheLastMessageSent) {
  CookieScene scene(CookieRule::secret);
  scene.send(kStart, 1);
  const auto to_first = scene.reply(kStart, kSource);
  scene.send(kStart, 2);
  auto result = scene.consume(kStart, to_first);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), CookieError::wrong_index);
  scene.send(kStart, 1);  // the same index, but another message: mac1 is the additional data
  result = scene.consume(kStart, to_first);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), CookieError::not_authentic);
}

TEST(Cookie, AReplyOfAnotherResponderIsRefused) {
  CookieScene scene(CookieRule::secret);
  const MacFields macs = scene.send(kStart);
  const StaticIdentity stranger(seeded_key(60));
  CookieChecker other(stranger, CookieRule::secret, kStart, scene.random);
  const auto result = scene.consume(kStart, other.create_reply(kStart, macs, kSource));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), CookieError::not_authentic);
}

TEST(Cookie, IsErasedWhenItDies) {
  alignas(Cookie) std::array<std::byte, sizeof(Cookie)> memory{};
  constexpr std::array<std::byte, kCookieBytes> kBytes{std::byte{7}, std::byte{8}};
  auto* cookie = new (memory.data()) Cookie(kBytes);
  ASSERT_FALSE(all_zero(memory));
  std::destroy_at(cookie);
  EXPECT_TRUE(all_zero(memory));
}

TEST(Cookie, ClearForgetsCookieAndMessage) {
  CookieScene scene(CookieRule::secret);
  scene.obtain(kStart, kSource);
  scene.send(kStart, 9);
  const auto reply = scene.reply(kStart, kSource);
  scene.generator.clear();
  EXPECT_FALSE(scene.generator.has_cookie(kStart));
  const auto result = scene.consume(kStart, reply);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), CookieError::nothing_sent);
}

TEST(Cookie, ANonceIsUsedOnce) {
  CookieScene scene(CookieRule::secret);
  scene.send(kStart);
  const auto first = scene.reply(kStart, kSource), second = scene.reply(kStart, kSource);
  EXPECT_FALSE(std::ranges::equal(CookieReplyView::parse(first).value().nonce(),
                                  CookieReplyView::parse(second).value().nonce()));
}

TEST(Cookie, ProfilesChooseTheirRule) {
  EXPECT_EQ(kPaperProfile.cookie, CookieRule::secret);
  EXPECT_EQ(kFirezoneProfile.cookie, CookieRule::period);
}

}  // namespace
}  // namespace fireline::wireguard
