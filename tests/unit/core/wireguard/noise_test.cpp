#include "core/wireguard/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "tests/unit/core/wireguard/handshake_fixture.h"

namespace fireline::wireguard {
namespace {

// Public keys of low order (RFC 7748 section 6.1; curve25519 has a few encodings of them): the shared secret is zero.
crypto::PublicKey low_order_zero() {
  return {};
}
crypto::PublicKey low_order_one() {
  crypto::PublicKey key;
  key.bytes[0] = std::byte{1};
  return key;
}
// What is left of the result when the two sides do not agree.
void expect_agree(const TransportKeys& a, const TransportKeys& b) {
  EXPECT_EQ(a.send, b.receive);
  EXPECT_EQ(a.receive, b.send);
  EXPECT_FALSE(a.send == a.receive);
  EXPECT_FALSE(a.send.is_zero());
}

TEST(Noise, BothSidesAgree) {
  HandshakePair pair;
  InitiationMessage initiation;
  const auto pending = pair.initiate(initiation, 0x11223344, stamp(77));
  const auto opened = pair.open(initiation);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->timestamp, stamp(77));
  EXPECT_EQ(opened->sender_index, 0x11223344u);

  ResponseMessage response;
  const auto responder_keys = pair.respond(*opened, response, 0x55667788);
  const auto view = ResponseView::parse(response).value();
  EXPECT_EQ(view.receiver_index(), 0x11223344u);
  EXPECT_EQ(view.sender_index(), 0x55667788u);
  const auto initiator_keys = pair.finish(pending, response);
  ASSERT_TRUE(initiator_keys);
  expect_agree(*initiator_keys, responder_keys);
}

TEST(Noise, WithoutPresharedKeyItIsAllZeros) {
  HandshakePair pair;
  pair.preshared_key = crypto::Key();
  InitiationMessage initiation;
  ResponseMessage response;
  const auto pending = pair.initiate(initiation);
  const auto responder_keys = pair.respond(pair.open(initiation).value(), response);
  const auto initiator_keys = pair.finish(pending, response);
  ASSERT_TRUE(initiator_keys);
  expect_agree(*initiator_keys, responder_keys);
}

TEST(Noise, TheInitiatorIsKnownAfterTheFirstStep) {
  HandshakePair pair;
  InitiationMessage initiation;
  pair.initiate(initiation);
  const auto anonymous = open_static(pair.responder, InitiationView::parse(initiation).value());
  ASSERT_TRUE(anonymous);
  EXPECT_EQ(anonymous->initiator_static, pair.initiator.public_key());
}

// Where a change of one bit of the initiation is noticed. Indices are no part of the handshake: mac1 alone covers them.
TEST(Noise, EachByteOfAnInitiationIsAuthentic) {
  HandshakePair pair;
  InitiationMessage original;
  pair.initiate(original);
  for (std::size_t offset = 4; offset < kInitiationBytes; ++offset) {
    InitiationMessage changed = original;
    changed[offset] ^= std::byte{0x80};
    const bool covered = offset >= 8 && offset < 116;
    const auto view = InitiationView::parse(changed).value();
    const auto anonymous = open_static(pair.responder, view);
    const bool first_step = offset >= 8 && offset < 88;  // ephemeral and static key
    EXPECT_EQ(anonymous.has_value(), !first_step) << "byte " << offset;
    if (anonymous) {
      EXPECT_EQ(open_timestamp(*anonymous, pair.to_initiator, view).has_value(), !covered) << "byte " << offset;
    } else {
      EXPECT_EQ(anonymous.error(), NoiseError::not_authentic) << "byte " << offset;
    }
  }
}

TEST(Noise, EachByteOfAResponseIsAuthentic) {
  HandshakePair pair;
  InitiationMessage initiation;
  ResponseMessage original;
  const auto pending = pair.initiate(initiation);
  pair.respond(pair.open(initiation).value(), original);
  for (std::size_t offset = 4; offset < kResponseBytes; ++offset) {
    ResponseMessage changed = original;
    changed[offset] ^= std::byte{0x80};
    const bool covered = offset >= 12 && offset < 60;  // ephemeral key and empty text
    const auto keys = pair.finish(pending, changed);
    EXPECT_EQ(keys.has_value(), !covered) << "byte " << offset;
    if (!keys) {
      EXPECT_EQ(keys.error(), NoiseError::not_authentic) << "byte " << offset;
    }
  }
  EXPECT_TRUE(pair.finish(pending, original)) << "a forged response must not end the handshake";
}

TEST(Noise, AnotherPresharedKeyFailsAtTheInitiator) {
  HandshakePair pair;
  InitiationMessage initiation;
  ResponseMessage response;
  const auto pending = pair.initiate(initiation);
  pair.respond(pair.open(initiation).value(), response);
  for (const crypto::Key& wrong : {crypto::Key(), seeded_key(99)}) {
    const auto keys = consume_response(pair.initiator, pending, wrong, ResponseView::parse(response).value());
    ASSERT_FALSE(keys);
    EXPECT_EQ(keys.error(), NoiseError::not_authentic);
  }
}

TEST(Noise, AnInitiationToAnotherResponderDoesNotOpen) {
  HandshakePair pair;
  InitiationMessage initiation;
  pair.initiate(initiation);
  const StaticIdentity stranger(seeded_key(50));
  const auto anonymous = open_static(stranger, InitiationView::parse(initiation).value());
  ASSERT_FALSE(anonymous);
  EXPECT_EQ(anonymous.error(), NoiseError::not_authentic);
}

TEST(Noise, WhoKnowsOnlyTheInitiatorsPublicKeyFailsAtTheTimestamp) {
  HandshakePair pair;
  InitiationMessage initiation;
  pair.initiate(initiation);
  const auto view = InitiationView::parse(initiation).value();
  const auto anonymous = open_static(pair.responder, view).value();
  const StaticIdentity other(seeded_key(51));
  const auto opened = open_timestamp(anonymous, RemoteIdentity(pair.responder, other.public_key()), view);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), NoiseError::not_authentic);
}

TEST(Noise, AResponseFitsItsOwnInitiationAlone) {
  HandshakePair pair;
  InitiationMessage first, second;
  ResponseMessage response;
  const auto first_pending = pair.initiate(first, 1, stamp(1));
  const auto second_pending = pair.initiate(second, 2, stamp(2));
  const auto keys = pair.respond(pair.open(first).value(), response);
  EXPECT_FALSE(pair.finish(second_pending, response));
  const auto finished = pair.finish(first_pending, response);  // the older of two outstanding ones is still answered
  ASSERT_TRUE(finished);
  expect_agree(*finished, keys);
}

TEST(Noise, SimultaneousInitiationsBothSucceedWithKeysOfTheirOwn) {
  HandshakePair pair;
  HandshakePair mirror;  // the same two nodes, the other one initiates
  std::swap(mirror.initiator, mirror.responder);
  std::swap(mirror.to_responder, mirror.to_initiator);
  mirror.random = SeededRandom(40);

  InitiationMessage there, back;
  ResponseMessage answer_there, answer_back;
  const auto pending_there = pair.initiate(there);
  const auto pending_back = mirror.initiate(back);
  const auto opened_there = pair.open(there);
  const auto opened_back = mirror.open(back);
  ASSERT_TRUE(opened_there && opened_back);
  const auto keys_there = pair.respond(*opened_there, answer_there);
  const auto keys_back = mirror.respond(*opened_back, answer_back);
  const auto finished_there = pair.finish(pending_there, answer_there);
  const auto finished_back = mirror.finish(pending_back, answer_back);
  ASSERT_TRUE(finished_there && finished_back);
  expect_agree(*finished_there, keys_there);
  expect_agree(*finished_back, keys_back);
  EXPECT_FALSE(finished_there->send == finished_back->send);
}

TEST(Noise, ARetryIsAWhollyNewMessage) {
  HandshakePair pair;
  InitiationMessage first, second;
  pair.initiate(first, 1, stamp(1));
  pair.initiate(second, 1, stamp(1));
  for (const auto& [from, to] : {std::pair(8, 40), std::pair(40, 88), std::pair(88, 116)}) {
    EXPECT_NE(0, std::memcmp(first.data() + from, second.data() + from, static_cast<std::size_t>(to - from)));
  }
}

// A responder holds the greatest timestamp accepted; a replay shows the same one again.
TEST(Noise, AReplayShowsItsOldTimestamp) {
  HandshakePair pair;
  InitiationMessage first, second;
  pair.initiate(first, 1, stamp(10));
  pair.initiate(second, 2, stamp(11));
  const Tai64n accepted = pair.open(second).value().timestamp;
  EXPECT_FALSE(pair.open(second).value().timestamp > accepted) << "the same message again";
  EXPECT_FALSE(pair.open(first).value().timestamp > accepted) << "an older message, delayed";
}

TEST(Noise, MacsAreLeftZero) {
  HandshakePair pair;
  InitiationMessage initiation;
  initiation.fill(std::byte{0xff});
  ASSERT_TRUE(create_initiation(pair.initiator, pair.to_responder, stamp(1), 1, pair.random, initiation));
  ResponseMessage response;
  response.fill(std::byte{0xff});
  ASSERT_TRUE(
      create_response(pair.open(initiation).value(), pair.to_initiator, pair.preshared_key, 2, pair.random, response));
  for (const std::byte byte : ConstBytes(initiation).last(2 * kMacBytes)) EXPECT_EQ(byte, std::byte{0});
  for (const std::byte byte : ConstBytes(response).last(2 * kMacBytes)) EXPECT_EQ(byte, std::byte{0});
}

TEST(Noise, PointsOfLowOrderAreRefusedEverywhere) {
  HandshakePair pair;
  for (const crypto::PublicKey& point : {low_order_zero(), low_order_one()}) {
    // A peer configured with one.
    const RemoteIdentity remote(pair.initiator, point);
    EXPECT_TRUE(remote.static_static().is_zero());
    InitiationMessage initiation;
    const auto created = create_initiation(pair.initiator, remote, stamp(1), 1, pair.random, initiation);
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error(), NoiseError::invalid_key);

    // As the ephemeral key of an initiation.
    const auto pending = pair.initiate(initiation);
    const auto opened = pair.open(initiation).value();
    InitiationMessage bad_initiation = initiation;
    std::ranges::copy(point.bytes, bad_initiation.begin() + 8);
    const auto anonymous = open_static(pair.responder, InitiationView::parse(bad_initiation).value());
    ASSERT_FALSE(anonymous);
    EXPECT_EQ(anonymous.error(), NoiseError::invalid_key);

    // As the ephemeral key of a response.
    ResponseMessage response;
    pair.respond(opened, response);
    std::ranges::copy(point.bytes, response.begin() + 12);
    const auto keys = pair.finish(pending, response);
    ASSERT_FALSE(keys);
    EXPECT_EQ(keys.error(), NoiseError::invalid_key);

    // Behind the responder's back: states that no honest message leads to.
    auto bad_ephemeral = opened;
    bad_ephemeral.initiator_ephemeral = point;
    const auto first = create_response(bad_ephemeral, pair.to_initiator, pair.preshared_key, 2, pair.random, response);
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error(), NoiseError::invalid_key);
    const RemoteIdentity bad_remote(pair.responder, point);
    const auto second = create_response(opened, bad_remote, pair.preshared_key, 2, pair.random, response);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), NoiseError::invalid_key);
    const auto view = InitiationView::parse(initiation).value();
    const auto third = open_timestamp(open_static(pair.responder, view).value(), bad_remote, view);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error(), NoiseError::invalid_key);
  }
}

TEST(Noise, APrivateKeyIsShownClamped) {
  crypto::Key key;
  std::ranges::fill(key.mutable_bytes(), std::byte{0xff});
  const StaticIdentity identity(key);
  const auto bytes = identity.private_key().bytes();
  EXPECT_EQ(bytes[0], std::byte{0xf8});
  EXPECT_EQ(bytes[31], std::byte{0x7f});
  EXPECT_EQ(StaticIdentity(identity.private_key()).public_key(), identity.public_key());
  const StaticIdentity of_zeros{crypto::Key()};
  EXPECT_EQ(of_zeros.private_key().bytes()[0], std::byte{0});
  EXPECT_EQ(of_zeros.private_key().bytes()[31], std::byte{0x40});
}

// Secrets are Keys, which erase themselves; a plain array here would stay in memory.
TEST(Noise, SecretsAreKeys) {
  static_assert(std::is_same_v<decltype(HandshakeState::chaining_key), crypto::Key>);
  static_assert(std::is_same_v<decltype(InitiatorHandshake::ephemeral_private), crypto::Key>);
  static_assert(std::is_same_v<decltype(TransportKeys::send), crypto::Key>);
  static_assert(std::is_same_v<decltype(TransportKeys::receive), crypto::Key>);
  alignas(InitiatorHandshake) std::array<std::byte, sizeof(InitiatorHandshake)> memory{};
  HandshakePair pair;
  InitiationMessage message;
  auto* handshake = new (memory.data()) InitiatorHandshake(pair.initiate(message));
  const crypto::Key secret = handshake->ephemeral_private;
  const auto holds = [&] { return std::ranges::search(memory, secret.bytes()).size() == crypto::kKeyBytes; };
  EXPECT_TRUE(holds());
  handshake->~InitiatorHandshake();
  EXPECT_FALSE(holds());
}

}  // namespace
}  // namespace fireline::wireguard
