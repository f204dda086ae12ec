// The benchmark's TURN client against answers written by hand.
#include "tools/bench/turn_session.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace fireline::bench {
namespace {

using stun::Attribute;
using stun::MessageClass;
using stun::MessageWriter;
using stun::Method;
using State = TurnSession::State;

const Endpoint kPeer = Endpoint::parse("198.18.2.1:5000").value();
const Endpoint kRelayed = Endpoint::parse("198.18.0.2:49152").value();

class TurnSessionTest : public testing::Test {
 protected:
  // The outstanding request; must be one.
  [[nodiscard]] stun::MessageView request() const {
    const auto view = stun::MessageView::parse(session_.request());
    EXPECT_TRUE(view.has_value());
    return view.value();
  }

  bool answer(MessageClass message_class, const std::function<void(MessageWriter&)>& attributes, bool sign = true) {
    std::vector<std::byte> out(512);
    MessageWriter writer(out, message_class, request().method(), request().transaction_id());
    attributes(writer);
    if (sign) writer.add_integrity(key_.bytes());
    return session_.handle(writer.message());
  }
  bool challenge(std::uint16_t code, std::string_view nonce) {
    return answer(
        MessageClass::error,
        [&](MessageWriter& writer) {
          writer.add_error_code(code, "");
          writer.add_text(Attribute::realm, "realm");
          writer.add_text(Attribute::nonce, nonce);
        },
        false);
  }
  bool allocated() {
    return answer(MessageClass::success,
                  [](MessageWriter& writer) { writer.add_xor_address(Attribute::xor_relayed_address, kRelayed); });
  }
  bool succeed() {
    return answer(MessageClass::success, [](MessageWriter&) {});
  }

  TurnSession session_{{"user", "pass"}, kPeer, 0x4000, 7};
  stun::LongTermKey key_{"user", "realm", "pass"};
};

TEST_F(TurnSessionTest, allocates_and_binds_after_a_challenge) {
  EXPECT_TRUE(request().is(MessageClass::request, Method::allocate));
  EXPECT_EQ(request().find_transport(), stun::kTransportUdp);
  EXPECT_FALSE(request().has(Attribute::username));

  ASSERT_TRUE(challenge(401, "first"));
  EXPECT_TRUE(request().is(MessageClass::request, Method::allocate));
  EXPECT_EQ(request().find_text(Attribute::nonce), "first");
  EXPECT_EQ(check_integrity(request(), key_.bytes()), stun::Check::good);

  ASSERT_TRUE(allocated());
  EXPECT_EQ(session_.state(), State::binding);
  EXPECT_EQ(session_.relayed(), kRelayed);
  EXPECT_TRUE(request().is(MessageClass::request, Method::channel_bind));
  EXPECT_EQ(request().find_channel_number(), 0x4000);
  EXPECT_EQ(request().find_xor_address(Attribute::xor_peer_address), kPeer);

  ASSERT_TRUE(challenge(438, "second"));
  EXPECT_EQ(request().find_text(Attribute::nonce), "second");
  ASSERT_TRUE(succeed());
  EXPECT_EQ(session_.state(), State::ready);
  EXPECT_TRUE(session_.request().empty());
}

TEST_F(TurnSessionTest, refreshes_and_ends) {
  ASSERT_TRUE(challenge(401, "nonce") && allocated() && succeed());
  session_.refresh(600);
  EXPECT_TRUE(request().is(MessageClass::request, Method::refresh));
  EXPECT_EQ(request().find_u32(Attribute::lifetime), 600u);
  ASSERT_TRUE(succeed());
  EXPECT_EQ(session_.state(), State::ready);
  session_.refresh(0);
  ASSERT_TRUE(succeed());
  EXPECT_EQ(session_.state(), State::ended);
}

TEST_F(TurnSessionTest, passes_over_what_answers_nothing) {
  const std::vector<std::byte> junk(40);
  EXPECT_FALSE(session_.handle(junk));
  const std::vector<std::byte> first(session_.request().begin(), session_.request().end());
  ASSERT_TRUE(challenge(401, "nonce"));
  EXPECT_FALSE(session_.handle(session_.request())) << "its own request";
  EXPECT_FALSE(answer(
      MessageClass::success,
      [](MessageWriter& writer) { writer.add_xor_address(Attribute::xor_relayed_address, kRelayed); }, false))
      << "an unsigned success";
  std::vector<std::byte> out(128);
  MessageWriter late(out, MessageClass::error, Method::allocate, stun::MessageView::parse(first)->transaction_id());
  late.add_error_code(400, "Bad Request");
  EXPECT_FALSE(session_.handle(late.message())) << "the answer to an earlier request";
  EXPECT_EQ(session_.state(), State::allocating);
}

TEST_F(TurnSessionTest, fails_with_a_sentence) {
  ASSERT_TRUE(answer(
      MessageClass::error, [](MessageWriter& writer) { writer.add_error_code(508, "Insufficient Capacity"); }, false));
  EXPECT_EQ(session_.state(), State::failed);
  EXPECT_EQ(session_.error(), "method 3: 508 Insufficient Capacity");
  EXPECT_TRUE(session_.request().empty());
}

TEST_F(TurnSessionTest, gives_up_when_challenged_again_and_again) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(challenge(401, "nonce"));
  EXPECT_EQ(session_.state(), State::allocating);
  ASSERT_TRUE(challenge(401, "nonce"));
  EXPECT_EQ(session_.state(), State::failed);
}

TEST_F(TurnSessionTest, needs_realm_and_relayed_address) {
  ASSERT_TRUE(
      answer(MessageClass::error, [](MessageWriter& writer) { writer.add_error_code(401, "Unauthorized"); }, false));
  EXPECT_EQ(session_.error(), "401 without realm or nonce");

  TurnSession other({"user", "pass"}, kPeer, 0x4000, 8);
  std::swap(session_, other);
  ASSERT_TRUE(challenge(401, "nonce") && succeed());
  EXPECT_EQ(session_.error(), "allocation without XOR-RELAYED-ADDRESS");
}

}  // namespace
}  // namespace fireline::bench
