// The portal's relay lists, the loss of relays, and which datagrams are a relay's.
#include "core/turn/relay_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/core/turn/turn_fixture.h"

namespace fireline::turn {
namespace {
using ::testing::ElementsAre;
using ::testing::IsEmpty;

RelayEntry entry(std::string_view id, const Endpoint& address, std::string_view password = kPassword) {
  return {.id = std::string(id),
          .kind = RelayEntryKind::turn,
          .address = address,
          .username = std::string(kUsername),
          .password = std::string(password)};
}

const Endpoint kServerB = endpoint("203.0.113.2:3478");
const Endpoint kServerC = endpoint("203.0.113.3:3478");

class Relays {
 public:
  void update(std::vector<std::string> removed, std::vector<RelayEntry> connected) {
    set.update(now, removed, connected);
    drain();
  }
  void drain() {
    std::array<std::byte, kMaxRequestBytes> out;
    while (const auto transmit = set.poll_transmit(out)) {
      sent.push_back({transmit->destination, {out.begin(), out.begin() + std::ptrdiff_t(transmit->bytes)}, now.boot});
    }
    while (auto event = set.poll_event()) events.push_back(*event);
  }
  void advance(Duration by) {
    const Instant end = now.boot + by;
    while (set.poll_timeout() && *set.poll_timeout() <= end) {
      now.boot = std::max(now.boot, *set.poll_timeout());
      set.handle_timeout(now);
      drain();
    }
    now.boot = end;
  }
  Verdict answer(const SentRequest& request, MessageClass message_class, const AddAttributes& add) {
    std::array<std::byte, kMaxRequestBytes> out;
    stun::MessageWriter writer(out, message_class, request.method(), request.view().transaction_id());
    add(writer);
    if (request.method() != Method::binding) writer.add_integrity(Credentials(kUsername, kPassword).key());
    const Verdict verdict = set.receive(now, request.destination, kLocal4, writer.message()).verdict;
    drain();
    return verdict;
  }
  // Answers everything, again and again, until nothing is sent any more.
  void settle() {
    while (!sent.empty()) {
      const SentRequest request = sent.front();
      sent.erase(sent.begin());
      answer(request, MessageClass::success, [&](stun::MessageWriter& writer) {
        writer.add_xor_address(Attribute::xor_mapped_address, kMapped4);
        const Endpoint relayed{.address = request.destination.address, .port = 50000, .scope = 0};
        if (request.method() == Method::allocate) writer.add_xor_address(Attribute::xor_relayed_address, relayed);
        writer.add_u32(Attribute::lifetime, 600);
      });
    }
  }
  [[nodiscard]] std::vector<Endpoint> destinations() const {
    std::vector<Endpoint> all;
    for (const auto& request : sent) all.push_back(request.destination);
    return all;
  }
  [[nodiscard]] std::vector<std::pair<std::string, RelayEventKind>> happened() {
    std::vector<std::pair<std::string, RelayEventKind>> all;
    for (const auto& event : events) all.emplace_back(event.id, event.kind);
    events.clear();
    return all;
  }
  [[nodiscard]] Verdict verdict(const Endpoint& source, ConstBytes datagram) {
    return set.receive(now, source, kLocal4, datagram).verdict;
  }

  Now now{.boot = Instant(1000s), .wall = {}};
  SeededRandom random;
  RelaySet set{{}, random};
  std::vector<SentRequest> sent;
  std::vector<RelayEvent> events;
};

using Happened = std::pair<std::string, RelayEventKind>;

std::vector<std::byte> some_message() {
  std::vector<std::byte> bytes(stun::kHeaderBytes);
  const stun::MessageWriter writer(bytes, MessageClass::success, Method::binding, {});
  const ConstBytes message = writer.message();
  return {message.begin(), message.end()};
}

std::vector<std::byte> some_channel_data(std::uint16_t channel = 0x4000) {
  std::vector<std::byte> bytes(36);
  stun::write_channel_header(bytes, channel, 32);
  return bytes;
}

// The portal's entries.
TEST(TurnRelayEntries, TwoAddressesOfOneRelayAreOneRelay) {
  Counters<TurnCounter> counters;
  const std::vector<RelayEntry> entries{entry("a", kServer4, "old"), entry("b", kServerB), entry("a", kServer6)};
  const auto offers = merge_entries(entries, counters);
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_EQ(offers[0].id, "a");
  EXPECT_EQ(offers[0].addresses, both_servers()) << "although the entries are not adjacent";
  EXPECT_EQ(offers[0].credentials, Credentials(kUsername, kPassword)) << "of the last entry";
  EXPECT_EQ(offers[1].addresses.v4, kServerB);
}

TEST(TurnRelayEntries, WhatIsIgnored) {
  Counters<TurnCounter> counters;
  RelayEntry stun_only = entry("s", kServerC);
  stun_only.kind = RelayEntryKind::stun;
  RelayEntry long_name = entry("l", kServerC);
  long_name.username.assign(stun::kMaxUsernameBytes + 1, 'u');
  RelayEntry no_name = entry("n", kServerC);
  no_name.username.clear();
  const std::vector<RelayEntry> entries{entry("a", kServer4), entry("a", kServerB), stun_only, long_name, no_name};
  const auto offers = merge_entries(entries, counters);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].addresses, server_v4()) << "a second address of the same family";
  EXPECT_EQ(counters.get(TurnCounter::entries_ignored), 3u);
}

TEST(TurnRelayEntries, AtMostSixteenRelays) {
  Relays relays;
  std::vector<RelayEntry> entries;
  for (unsigned i = 0; i <= kRelaysMax; ++i) {
    entries.push_back(
        entry(std::to_string(i), {.address = kServer4.address, .port = std::uint16_t(3478 + i), .scope = 0}));
  }
  relays.update({}, entries);
  EXPECT_EQ(relays.set.size(), kRelaysMax);
  relays.update({}, {entry("another", kServerB)});
  EXPECT_EQ(relays.set.size(), kRelaysMax);
  EXPECT_EQ(relays.set.counters().get(TurnCounter::entries_ignored), 2u);
}

// Updates.
TEST(TurnRelaySet, ARelayThatCameBackUnderAnotherIdReplacesTheOldOne) {
  Relays relays;
  relays.update({}, {entry("a", kServer4), entry("c", kServerC)});
  relays.settle();
  relays.events.clear();
  relays.update({}, {entry("b", kServer4, "other")});
  EXPECT_THAT(relays.happened(), ::testing::Contains(Happened{"a", RelayEventKind::lost}));
  EXPECT_EQ(relays.set.size(), 2u) << "the new one and the one elsewhere";
  relays.settle();
  EXPECT_EQ(relays.set.counters().get(TurnCounter::relays_discarded), 0u);
  EXPECT_THAT(relays.happened(), ::testing::Contains(Happened{"b", RelayEventKind::candidate_added}));
  relays.update({}, {entry("b", kServer4, "other"), entry("d", kServer4)});
  EXPECT_EQ(relays.set.size(), 3u) << "two in one list are the portal's to explain";
}

TEST(TurnRelaySet, AllocatesOnEveryRelay) {
  Relays relays;
  relays.update({}, {entry("a", kServer4), entry("a", kServer6), entry("b", kServerB)});
  EXPECT_THAT(relays.destinations(), ElementsAre(kServer4, kServer6, kServerB));
  EXPECT_EQ(relays.set.size(), 2u);
}

TEST(TurnRelaySet, AnIdenticalRelayIsLeftAlone) {
  Relays relays;
  relays.update({}, {entry("a", kServer4)});
  relays.settle();
  relays.events.clear();
  relays.update({}, {entry("a", kServer4)});
  EXPECT_THAT(relays.sent, IsEmpty());
  EXPECT_THAT(relays.events, IsEmpty());
}

TEST(TurnRelaySet, ChangedCredentialsOrAddressesReplaceTheAllocation) {
  const struct {
    std::string_view rule;
    std::vector<RelayEntry> announced;
  } rows[] = {
      {"password", {entry("a", kServer4, "rebooted")}},
      {"address", {entry("a", kServerB)}},
      {"another family more", {entry("a", kServer4), entry("a", kServer6)}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    Relays relays;
    relays.update({}, {entry("a", kServer4)});
    relays.settle();
    relays.events.clear();
    relays.update({}, row.announced);
    EXPECT_THAT(relays.happened(), ElementsAre(Happened("a", RelayEventKind::candidate_invalidated)))
        << "the old relayed candidate; connections stay with the relay";
    EXPECT_EQ(relays.destinations().front(), row.announced.front().address);
    EXPECT_EQ(relays.sent.front().method(), Method::binding);
    EXPECT_EQ(relays.sent.size(), row.announced.size()) << "and no word to the old one";
  }
}

TEST(TurnRelaySet, ARemovedRelayIsLostAndItsRelayedCandidatesAreInvalid) {
  Relays relays;
  relays.update({}, {entry("a", kServer4), entry("b", kServerB)});
  relays.settle();
  relays.events.clear();
  relays.update({"a", "never heard of"}, {entry("b", kServerB)});
  EXPECT_THAT(relays.happened(),
              ElementsAre(Happened("a", RelayEventKind::candidate_invalidated), Happened("a", RelayEventKind::lost)));
  EXPECT_THAT(relays.sent, IsEmpty());
  EXPECT_EQ(relays.set.find("a"), nullptr);
}

TEST(TurnRelaySet, RelaysThatAreNotMentionedAreAskedOnceWhetherTheyStillKnowUs) {
  Relays relays;
  relays.update({}, {entry("a", kServer4), entry("b", kServerB)});
  relays.settle();
  relays.events.clear();
  relays.update({}, {entry("b", kServerB), entry("c", kServerC)});
  EXPECT_THAT(relays.destinations(), ElementsAre(kServer4, kServerC));
  EXPECT_EQ(relays.sent.front().method(), Method::refresh);
  relays.advance(1s);
  EXPECT_THAT(relays.happened(),
              ElementsAre(Happened("a", RelayEventKind::candidate_invalidated), Happened("a", RelayEventKind::lost)))
      << "silence for a second";
}

TEST(TurnRelaySet, ARelayThatFailsIsLostWithItsReason) {
  Relays relays;
  relays.update({}, {entry("a", kServer4), entry("b", kServerB)});
  relays.sent.erase(relays.sent.begin());
  relays.settle();
  relays.events.clear();
  relays.advance(8125ms);
  ASSERT_EQ(relays.events.size(), 1u);
  EXPECT_EQ(relays.events[0].id, "a");
  EXPECT_EQ(relays.events[0].reason, DiscardReason::no_response);
  EXPECT_EQ(relays.set.counters().get(TurnCounter::relays_discarded), 1u);
  relays.update({}, {entry("a", kServer4)});
  EXPECT_NE(relays.set.find("a"), nullptr) << "announced again, tried again";
}

TEST(TurnRelaySet, WhenNoRelayIsLeftThePortalMustBeAsked) {
  Relays relays;
  relays.update({}, {entry("a", kServer4)});
  relays.advance(8125ms);
  EXPECT_THAT(relays.happened(),
              ElementsAre(Happened("a", RelayEventKind::lost), Happened("", RelayEventKind::none_left)));
  EXPECT_EQ(relays.set.sample(), std::nullopt);
}

TEST(TurnRelaySet, NoneLeftIsNotSaidWhenTheSameMessageBringsOthers) {
  Relays relays;
  relays.update({}, {entry("a", kServer4)});
  relays.update({"a"}, {entry("b", kServerB)});
  EXPECT_THAT(relays.happened(), ElementsAre(Happened("a", RelayEventKind::lost)));
}

TEST(TurnRelaySet, SamplesEveryRelayEquallyOftenFinishedOrNot) {
  Relays relays;
  EXPECT_EQ(relays.set.sample(), std::nullopt);
  relays.update({}, {entry("a", kServer4), entry("b", kServerB), entry("c", kServerC)});
  std::map<std::string_view, int> drawn;
  for (int i = 0; i < 3000; ++i) ++drawn[relays.set.sample().value()];
  for (const auto& [id, times] : drawn) EXPECT_NEAR(times, 1000, 120) << id;
  EXPECT_EQ(drawn.size(), 3u);
}

TEST(TurnRelaySet, ResetForgetsRelaysInSilenceAndRemembersTheirAddresses) {
  Relays relays;
  relays.update({}, {entry("a", kServer4), entry("a", kServer6)});
  relays.settle();
  relays.events.clear();
  relays.set.reset();
  relays.drain();
  EXPECT_THAT(relays.sent, IsEmpty()) << "no Refresh with lifetime 0";
  EXPECT_THAT(relays.events, IsEmpty());
  EXPECT_EQ(relays.set.poll_timeout(), std::nullopt);
  EXPECT_EQ(relays.set.origin_of(kServer4), Origin::former_relay);
  EXPECT_EQ(relays.set.origin_of(kServer6), Origin::former_relay);
}

TEST(TurnRelaySet, CandidatesOfAllRelaysCanBeVisited) {
  Relays relays;
  relays.update({}, {entry("a", kServer4), entry("b", kServerB)});
  relays.settle();
  std::vector<std::pair<std::string, CandidateKind>> seen;
  relays.set.for_each([&](std::string_view id, const Allocation& allocation) {
    allocation.candidates().for_each([&](const Candidate& candidate) { seen.emplace_back(id, candidate.kind); });
  });
  using Seen = std::pair<std::string, CandidateKind>;
  EXPECT_THAT(seen, ElementsAre(Seen("a", CandidateKind::host), Seen("a", CandidateKind::server_reflexive),
                                Seen("a", CandidateKind::relayed), Seen("b", CandidateKind::host),
                                Seen("b", CandidateKind::server_reflexive), Seen("b", CandidateKind::relayed)));
}

// Which datagrams are a relay's.
TEST(TurnDemultiplexing, APeerWhoseNatMapsItTo3478GetsThrough) {
  Relays relays;
  relays.update({}, {entry("a", kServer4)});
  const Endpoint peer = endpoint("192.0.2.77:3478");
  EXPECT_EQ(relays.verdict(peer, some_message()), Verdict::not_relayed);
  EXPECT_EQ(relays.verdict(peer, some_channel_data()), Verdict::not_relayed);
}

TEST(TurnDemultiplexing, LateDatagramsOfAFormerRelayAreDropped) {
  Relays relays;
  relays.update({}, {entry("a", kServer4), entry("b", kServerB)});
  relays.update({"a"}, {entry("b", kServerB)});
  EXPECT_EQ(relays.verdict(kServer4, some_message()), Verdict::consumed);
  EXPECT_EQ(relays.verdict(kServer4, some_channel_data()), Verdict::consumed);
  EXPECT_EQ(relays.set.counters().get(TurnCounter::drop_former_relay), 2u);
  const Endpoint same_host = endpoint("203.0.113.1:40000");
  EXPECT_EQ(relays.verdict(same_host, some_channel_data()), Verdict::not_relayed) << "another port of that address";
}

TEST(TurnDemultiplexing, WhatDoesNotParseIsNotARelaysBusiness) {
  Relays relays;
  relays.update({}, {entry("a", kServer4)});
  auto wireguard = std::vector<std::byte>(148);
  wireguard[0] = std::byte{1};
  auto padded = some_channel_data();
  padded.push_back(std::byte{0});
  auto beyond = some_channel_data(0x5000);
  for (const auto& datagram : {wireguard, padded, beyond, std::vector<std::byte>{}}) {
    EXPECT_EQ(relays.verdict(kServer4, datagram), Verdict::not_relayed);
  }
}

TEST(TurnDemultiplexing, ACurrentRelaysDatagramsAreHandledOrDropped) {
  Relays relays;
  relays.update({}, {entry("a", kServer4)});
  relays.settle();
  EXPECT_EQ(relays.verdict(kServer4, some_message()), Verdict::consumed) << "accepted or not";
  EXPECT_EQ(relays.verdict(kServer4, some_channel_data()), Verdict::consumed) << "unknown channel";
  relays.set.find("a")->bind(relays.now, kPeer4);
  relays.drain();
  relays.settle();
  const auto datagram = some_channel_data();
  const Received received = relays.set.receive(relays.now, kServer4, kLocal4, datagram);
  EXPECT_EQ(received.verdict, Verdict::payload);
  EXPECT_EQ(received.data.peer, kPeer4);
  EXPECT_EQ(received.data.local, endpoint("203.0.113.1:50000"));
  EXPECT_EQ(received.data.payload.size(), 32u);
}

TEST(TurnDemultiplexing, ARelayThatIsBackIsCurrentAgain) {
  Relays relays;
  relays.update({}, {entry("a", kServer4)});
  relays.update({"a"}, {});
  EXPECT_EQ(relays.set.origin_of(kServer4), Origin::former_relay);
  relays.update({}, {entry("x", kServer4)});
  EXPECT_EQ(relays.set.origin_of(kServer4), Origin::relay);
}

TEST(TurnFormerRelays, TheLastSixtyFourAreRemembered) {
  FormerRelays former;
  const auto address = [](std::uint8_t i) { return *IpAddress::parse("192.0.2." + std::to_string(i)); };
  EXPECT_FALSE(former.contains(IpAddress())) << "no entry is no address";
  for (std::uint8_t i = 0; i < kFormerRelaysMax; ++i) former.remember(address(i));
  former.remember(address(0));  // again: the newest now
  EXPECT_EQ(former.size(), kFormerRelaysMax);
  former.remember(address(64));
  EXPECT_EQ(former.size(), kFormerRelaysMax);
  EXPECT_FALSE(former.contains(address(1))) << "the oldest gave way";
  EXPECT_TRUE(former.contains(address(0)));
  for (std::uint8_t i = 2; i <= 64; ++i) EXPECT_TRUE(former.contains(address(i)));
}

TEST(TurnRelaySet, AnAnnouncementOfTheSameRelayWakesASuspendedAllocation) {
  Relays relays;
  relays.update({}, {entry("a", kServer4)});
  relays.settle();
  relays.now.boot += 600s;
  relays.set.handle_timeout(relays.now);
  relays.drain();
  ASSERT_EQ(relays.set.find("a")->state(), AllocationState::suspended);
  relays.sent.clear();
  relays.update({}, {entry("a", kServer4)});
  EXPECT_EQ(relays.set.find("a")->state(), AllocationState::starting);
  relays.settle();
  EXPECT_EQ(relays.set.find("a")->state(), AllocationState::allocated);
}

}  // namespace
}  // namespace fireline::turn
