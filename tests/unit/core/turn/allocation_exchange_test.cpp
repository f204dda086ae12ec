// From the first Binding to an allocation, and what is learned of our own addresses on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/turn/turn_fixture.h"

namespace fireline::turn {
namespace {
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TurnExchange, TheTypicalExchangeStepByStep) {
  Harness h(both_servers());
  // 0: Binding to both families.
  ASSERT_EQ(h.sent.size(), 2u);
  EXPECT_EQ(h.sent[0].destination, kServer4);
  EXPECT_EQ(h.sent[1].destination, kServer6);
  EXPECT_EQ(h.sent[0].method(), Method::binding);
  EXPECT_EQ(h.allocation.state(), AllocationState::starting);
  EXPECT_EQ(h.allocation.server(), std::nullopt);

  // RTT: the first answer gives candidates and the active socket; Allocate without NONCE.
  h.advance(20ms);
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  EXPECT_EQ(h.allocation.state(), AllocationState::allocating);
  EXPECT_EQ(h.allocation.server(), kServer4);
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::host, kLocal4, kLocal4),
                                    added(CandidateKind::server_reflexive, kMapped4, kLocal4)));
  const SentRequest first = h.take(Method::allocate);
  EXPECT_EQ(first.destination, kServer4);
  EXPECT_EQ(first.view().find_text(Attribute::username), kUsername);
  EXPECT_EQ(first.view().find_text(Attribute::realm), kRealm);
  EXPECT_FALSE(first.view().has(Attribute::nonce));
  const Credentials credentials(kUsername, kPassword);
  EXPECT_EQ(stun::check_integrity(first.view(), credentials.key()), stun::Check::good);
  EXPECT_FALSE(first.view().has(Attribute::fingerprint));
  EXPECT_FALSE(first.view().has(Attribute::requested_address_family));
  EXPECT_EQ(first.view().find_family(Attribute::additional_address_family), Family::v6);

  // 2 RTT: 401 with NONCE, signed; Allocate with NONCE under a new transaction id.
  h.advance(20ms);
  ASSERT_TRUE(h.fail(first, 401, kNonce));
  const SentRequest second = h.take(Method::allocate);
  EXPECT_EQ(second.view().find_text(Attribute::nonce), kNonce);
  EXPECT_NE(second.view().transaction_id(), first.view().transaction_id());

  // Peers that want a channel meanwhile wait.
  h.allocation.bind(h.now, kPeer4);
  h.allocation.bind(h.now, kPeer6);
  h.allocation.bind(h.now, kPeer4);
  h.drain();
  EXPECT_EQ(h.count(Method::channel_bind), 0u);

  // 3 RTT: success; relay candidates, a ChannelBind per waiting peer, and channel data may follow at once.
  h.advance(20ms);
  h.events.clear();
  ASSERT_TRUE(h.allocated(second));
  EXPECT_EQ(h.allocation.state(), AllocationState::allocated);
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::relayed, kRelayed4, kRelayed4),
                                    added(CandidateKind::relayed, kRelayed6, kRelayed6)));
  ASSERT_EQ(h.count(Method::channel_bind), 2u);
  const SentRequest bind = h.take(Method::channel_bind);
  EXPECT_EQ(bind.view().find_xor_address(Attribute::xor_peer_address), kPeer4);
  EXPECT_EQ(bind.view().find_channel_number(), 0x4000);
  EXPECT_EQ(bind.view().find_text(Attribute::nonce), kNonce);
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer4), 0x4000) << "in flight: data is pipelined behind the request";
  EXPECT_EQ(h.allocation.channel_for(h.now, kPeer6), 0x4001);
  ASSERT_TRUE(h.succeed(bind));
  ASSERT_TRUE(h.succeed(h.take(Method::channel_bind)));

  // +25 s: keepalive.
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped6)) << "IPv6 answers too";
  const Instant allocated = h.now.boot;
  h.advance(25s);
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));

  // +300 s: Refresh, and a ChannelBind for the channel that received data, under its number.
  while (h.now.boot < allocated + 300s) {
    ASSERT_TRUE(h.receive_data(0x4000));
    h.advance(std::min<Duration>(25s, allocated + 300s - h.now.boot));
    while (h.count(Method::binding) != 0) h.bound(h.take(Method::binding), kMapped4);
  }
  EXPECT_EQ(h.count(Method::refresh), 1u);
  ASSERT_EQ(h.count(Method::channel_bind), 1u);
  EXPECT_EQ(h.take(Method::channel_bind).view().find_channel_number(), 0x4000);
}

TEST(TurnExchange, TheFirstAnswerWinsAndTheOtherFamilyOnlyAddsCandidates) {
  Harness h(both_servers());
  const SentRequest v4 = h.take(Method::binding);
  const SentRequest v6 = h.take(Method::binding);
  ASSERT_TRUE(h.bound(v6, kMapped6));
  EXPECT_EQ(h.allocation.server(), kServer6);
  EXPECT_EQ(h.take(Method::allocate).destination, kServer6);
  h.events.clear();
  ASSERT_TRUE(h.bound(v4, kMapped4));
  EXPECT_EQ(h.allocation.server(), kServer6);
  EXPECT_EQ(h.count(Method::allocate), 0u) << "one relay with two addresses is one allocation";
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::host, kLocal4, kLocal4),
                                    added(CandidateKind::server_reflexive, kMapped4, kLocal4)));
}

TEST(TurnExchange, ARelayedCandidateSaysThroughWhichFamilyItsRelayIsUsed) {
  Harness h(both_servers());
  h.take(Method::binding);
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped6));
  ASSERT_TRUE(h.fail(h.take(Method::allocate), 401, kNonce));
  h.events.clear();
  ASSERT_TRUE(h.allocated(h.take(Method::allocate)));
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::relayed, kRelayed4, kRelayed4, Family::v6),
                                    added(CandidateKind::relayed, kRelayed6, kRelayed6, Family::v6)));
}

TEST(TurnExchange, ABindingAnswerCountsWithoutAUsableMappedAddress) {
  Harness h;
  ASSERT_TRUE(h.answer(h.take(Method::binding), MessageClass::success, {}, Signed::no));
  EXPECT_EQ(h.count(Method::allocate), 1u);
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::host, kLocal4, kLocal4)));
}

TEST(TurnExchange, AReflexiveCandidateOfAnotherFamilyThanItsBaseIsInvalid) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped6));
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::host, kLocal4, kLocal4)));
}

TEST(TurnExchange, AddressesThatCannotBeCandidates) {
  const struct {
    std::string_view address;
    bool good;
  } rows[] = {
      {"10.0.0.4:1", true},      {"169.254.1.1:1", false},     {"255.255.255.255:1", false},
      {"224.0.0.1:1", false},    {"239.255.255.255:1", false}, {"0.0.0.0:1", false},
      {"240.0.0.1:1", true},     {"127.0.0.1:1", true},        {"[::]:1", false},
      {"[ff02::1]:1", false},    {"[fe80::1]:1", true},        {"[::1]:1", true},
      {"[2001:db8::1]:1", true}, {"10.0.0.4:0", false},
  };
  for (const auto& row : rows) EXPECT_EQ(can_be_candidate(endpoint(row.address)), row.good) << row.address;
}

TEST(TurnExchange, AChangedAddressIsAnnouncedBeforeItsPredecessorIsInvalidated) {
  Harness h;
  h.allocate();
  h.advance(25s);
  const Endpoint other = endpoint("198.51.100.9:40001");
  ASSERT_TRUE(h.bound(h.take(Method::binding), other));
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::server_reflexive, other, kLocal4),
                                    invalidated(CandidateKind::server_reflexive, kMapped4, kLocal4)));
}

TEST(TurnExchange, AtMostOneReflexiveCandidatePerFamily) {
  Harness h;
  h.allocate();
  for (std::uint16_t port = 41000; port < 41010; ++port) {
    h.advance(25s);
    ASSERT_TRUE(h.bound(h.take(Method::binding), {.address = kMapped4.address, .port = port, .scope = 0}));
    ASSERT_TRUE(h.refreshed(h.take(Method::refresh)));
  }
  int live = 1;  // the one of allocate()
  for (const auto& event : h.events) live += event.kind == EventKind::candidate_added ? 1 : -1;
  EXPECT_EQ(live, 1);
}

TEST(TurnExchange, ARepeatedAddressIsNoEvent) {
  Harness h;
  h.allocate();
  h.advance(25s);
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  EXPECT_THAT(h.events, IsEmpty());
}

TEST(TurnExchange, AnAllocationWithoutAddressOrLifetimeIsIgnored) {
  const struct {
    std::string_view rule;
    AddAttributes add;
  } rows[] = {
      {"no address", [](auto& writer) { writer.add_u32(Attribute::lifetime, 600); }},
      {"no lifetime", [](auto& writer) { writer.add_xor_address(Attribute::xor_relayed_address, kRelayed4); }},
      {"an address that cannot be used",
       [](auto& writer) {
         writer.add_xor_address(Attribute::xor_relayed_address, endpoint("0.0.0.0:50000"));
         writer.add_u32(Attribute::lifetime, 600);
       }},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    Harness h;
    ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
    h.events.clear();
    ASSERT_TRUE(h.succeed(h.take(Method::allocate), row.add));
    EXPECT_EQ(h.counted(TurnCounter::drop_unusable), 1u);
    EXPECT_THAT(h.events, IsEmpty());
    EXPECT_EQ(h.allocation.state(), AllocationState::suspended);
  }
}

TEST(TurnExchange, AtMostOneRelayedAddressPerFamily) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  h.events.clear();
  ASSERT_TRUE(h.succeed(h.take(Method::allocate), [](stun::MessageWriter& writer) {
    writer.add_xor_address(Attribute::xor_relayed_address, kRelayed4);
    writer.add_xor_address(Attribute::xor_relayed_address, endpoint("203.0.113.1:50001"));
    writer.add_u32(Attribute::lifetime, 600);
  }));
  EXPECT_THAT(h.events, ElementsAre(added(CandidateKind::relayed, kRelayed4, kRelayed4)));
}

// What is no answer to us.
TEST(TurnAnswers, FromElsewhereUnknownOrOfAnotherMethodAreNotOurs) {
  Harness h(both_servers());
  const SentRequest v4 = h.take(Method::binding);
  const auto answer = [&](MessageClass message_class, Method method, const stun::TransactionId& id,
                          const Endpoint& source) {
    std::array<std::byte, 100> out;
    stun::MessageWriter writer(out, message_class, method, id);
    return h.allocation.handle_response(h.now, source, kLocal4, writer.message());
  };
  const auto id = v4.view().transaction_id();
  auto other_id = id;
  other_id[0] ^= std::byte{1};

  EXPECT_FALSE(answer(MessageClass::success, Method::binding, id, endpoint("192.0.2.1:3478")));
  EXPECT_FALSE(answer(MessageClass::success, Method::binding, id, kServer6)) << "another address than asked";
  EXPECT_FALSE(answer(MessageClass::success, Method::binding, other_id, kServer4));
  EXPECT_FALSE(answer(MessageClass::success, Method::allocate, id, kServer4));
  EXPECT_EQ(h.counted(TurnCounter::drop_unknown), 4u);
  EXPECT_FALSE(answer(MessageClass::request, Method::binding, id, kServer4));
  EXPECT_FALSE(answer(MessageClass::indication, Method::binding, id, kServer4));
  EXPECT_EQ(h.counted(TurnCounter::drop_no_response), 2u);
  EXPECT_FALSE(h.allocation.handle_response(h.now, kServer4, kLocal4, std::vector<std::byte>(19)));
  EXPECT_EQ(h.counted(TurnCounter::drop_malformed), 1u);

  EXPECT_TRUE(answer(MessageClass::success, Method::binding, id, kServer4)) << "still outstanding";
  EXPECT_FALSE(answer(MessageClass::success, Method::binding, id, kServer4)) << "answered";
}

TEST(TurnAnswers, EverythingButABindingMustBeSignedAndAForgeryCancelsNothing) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  const SentRequest allocate = h.take(Method::allocate);
  for (const auto code : std::initializer_list<std::uint16_t>{400, 401, 420, 437, 438, 500}) {
    EXPECT_FALSE(h.fail(allocate, code, kNonce, kRealm, Signed::no)) << code;
    EXPECT_FALSE(h.fail(allocate, code, kNonce, kRealm, Signed::wrongly)) << code;
  }
  EXPECT_FALSE(h.answer(allocate, MessageClass::success, {}, Signed::no));
  EXPECT_EQ(h.counted(TurnCounter::drop_unsigned), 7u);
  EXPECT_EQ(h.counted(TurnCounter::drop_wrong_integrity), 6u);
  EXPECT_EQ(h.count(Method::allocate), 0u) << "none of them made us send anything";
  EXPECT_TRUE(h.allocated(allocate)) << "still outstanding";
}

TEST(TurnAnswers, UnsignedErrorsAreTakenWithTheOptionForForeignServersAlone) {
  Harness h(server_v4(), {.accept_unsigned_errors = true});
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  const SentRequest first = h.take(Method::allocate);
  EXPECT_FALSE(first.view().has(Attribute::username)) << "such servers refuse credentials without NONCE";
  EXPECT_FALSE(first.view().has(Attribute::message_integrity));
  EXPECT_FALSE(h.fail(first, 401, kNonce, kRealm, Signed::wrongly)) << "signed wrongly stays wrong";
  ASSERT_TRUE(h.fail(first, 401, kNonce, kRealm, Signed::no));
  const SentRequest second = h.take(Method::allocate);
  EXPECT_EQ(second.view().find_text(Attribute::username), kUsername);
  EXPECT_FALSE(h.answer(second, MessageClass::success, {}, Signed::no)) << "a success is never taken unsigned";
  EXPECT_TRUE(h.allocated(second));
  h.allocation.refresh(h.now);
  h.drain();
  EXPECT_FALSE(h.take(Method::refresh).view().has(Attribute::requested_transport)) << "they answer that with 420";
}

TEST(TurnAnswers, ARetransmittedAllocateIsAnsweredUnderItsNewIdOnly) {
  Harness h;
  ASSERT_TRUE(h.bound(h.take(Method::binding), kMapped4));
  const SentRequest first = h.take(Method::allocate);
  h.advance(1s);
  const SentRequest second = h.take(Method::allocate);
  EXPECT_FALSE(h.allocated(first));
  EXPECT_TRUE(h.allocated(second));
  EXPECT_EQ(h.counted(TurnCounter::retransmissions), 1u);
}

TEST(TurnAnswers, ABindingErrorIsOnlyCounted) {
  Harness h;
  ASSERT_TRUE(h.fail(h.take(Method::binding), 401, kNonce, kRealm, Signed::no));
  EXPECT_EQ(h.counted(TurnCounter::error_other), 1u);
  EXPECT_EQ(h.discarded(), DiscardReason::lost) << "nothing is left to wait for";
}

}  // namespace
}  // namespace fireline::turn
