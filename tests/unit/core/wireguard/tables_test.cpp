// The small containers of the device: index table, session set, deadline heap, handshake queue.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <set>
#include <vector>

#include "core/base/deadline_heap.h"
#include "core/wireguard/event_queue.h"
#include "core/wireguard/handshake_queue.h"
#include "core/wireguard/index_table.h"
#include "core/wireguard/peer.h"
#include "core/wireguard/session_set.h"
#include "tests/unit/core/wireguard/handshake_fixture.h"

namespace fireline::wireguard {
namespace {

// Repeats each number once, so that the table meets a collision.
class StutteringRandom final : public crypto::Random {
 public:
  void fill(Bytes bytes) noexcept override {
    std::ranges::fill(bytes, std::byte{0});
    store_le32(bytes, 0, 0x01000000u + calls_++ / 2);  // more than 24 bits: the upper ones do not count
  }

 private:
  std::uint32_t calls_ = 0;
};

TEST(IndexTable, NumbersAreUniqueAndFound) {
  SeededRandom random(1);
  IndexTable table;
  std::vector<std::uint32_t> numbers;
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 3000; ++i) {
    peers.push_back(std::make_unique<Peer>(crypto::PublicKey{}, kPaperProfile));
    numbers.push_back(table.insert(peers.back().get(), random));
    EXPECT_LT(numbers.back(), kConnectionNumbers);
  }
  EXPECT_EQ(std::set(numbers.begin(), numbers.end()).size(), numbers.size());
  for (std::size_t i = 0; i < numbers.size(); i += 2) table.erase(numbers[i]);
  EXPECT_EQ(table.size(), 1500u);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(table.find(session_index(numbers[i], 200)), i % 2 == 0 ? nullptr : peers[i].get());
  }
}

TEST(IndexTable, ATakenNumberIsDrawnAgain) {
  StutteringRandom random;
  IndexTable table;
  Peer a(crypto::PublicKey{}, kPaperProfile), b(crypto::PublicKey{}, kPaperProfile);
  EXPECT_EQ(table.insert(&a, random), 0u);
  EXPECT_EQ(table.insert(&b, random), 1u);
  table.erase(12345);
  EXPECT_EQ(table.size(), 2u);
}

TEST(IndexTable, GuessesTheSessionThatWasNotedLast) {
  struct Pair {
    Peer peer{crypto::PublicKey{}, kPaperProfile};
    Session first{&peer, crypto::Key(), crypto::Key(), 10}, second{&peer, crypto::Key(), crypto::Key(), 10};
  };
  const auto pair = std::make_unique<Pair>();
  SeededRandom random(2);
  IndexTable table;
  const std::uint32_t connection = table.insert(&pair->peer, random);
  const std::uint32_t index = session_index(connection, 7);
  EXPECT_EQ(table.guess_session(index), nullptr);
  table.note_session(index, &pair->first);
  EXPECT_EQ(table.guess_session(index), &pair->first);
  table.note_session(session_index(connection, 8), &pair->second);
  EXPECT_EQ(table.guess_session(index), &pair->second) << "the connection's, whatever its number";
  const std::uint32_t another = session_index(connection ^ 1, 7);
  table.note_session(another, &pair->first);
  EXPECT_EQ(table.guess_session(another), nullptr) << "nobody's";
  table.erase(connection);
  EXPECT_EQ(table.guess_session(index), nullptr);
}

// With 10,000 peers each cache line is waited for. What prefetch_sending() and prefetch_receiving() ask for.
TEST(Peer, WhatAPacketTouchesIsThreeCacheLinesAndThePathsOne) {
  const Peer peer(crypto::PublicKey{}, kPaperProfile);
  const auto line_of = [&](const void* member) {
    return (std::bit_cast<std::uintptr_t>(member) - std::bit_cast<std::uintptr_t>(&peer)) / kCacheLineBytes;
  };
  const auto last_line_of = [&](const auto& member) {
    return line_of(std::bit_cast<const std::byte*>(&member) + sizeof member - 1);
  };
  EXPECT_EQ(last_line_of(peer.heap_deadline), 0u);
  EXPECT_EQ(last_line_of(peer.last_data), 0u);
  EXPECT_EQ(last_line_of(peer.sent_bytes), 0u);
  EXPECT_EQ(line_of(&peer.timers), 1u) << "deadlines first, what is seldom asked for in the next line";
  EXPECT_EQ(last_line_of(peer.queue), 2u);
  EXPECT_EQ(line_of(&peer.sessions), 2u) << "the current session and its index first";
  EXPECT_EQ(line_of(&peer.path), last_line_of(peer.path));
  EXPECT_EQ(last_line_of(peer.last_planned_work), line_of(&peer.path) - 1) << "of two lines, the one in front";
}

TEST(Peer, SessionIndicesCountInTheLowByteAndSkipWhatIsInUse) {
  Peer peer(crypto::PublicKey{}, kPaperProfile);
  peer.connection = 0xABCDEF;
  EXPECT_EQ(peer.next_session_index(), 0xABCDEF01u);
  peer.initiation.emplace().sender_index = 0xABCDEF03u;
  EXPECT_EQ(peer.next_session_index(), 0xABCDEF02u);
  EXPECT_EQ(peer.next_session_index(), 0xABCDEF04u);
  peer.session_counter = 255;
  EXPECT_EQ(peer.next_session_index(), 0xABCDEF00u) << "the counter wraps, the connection number never changes";
}

class Sessions : public testing::Test {
 protected:
  Session* add(SessionSet& set, bool initiator, std::uint32_t index) {
    SessionRef session(new Session(&peer, crypto::Key(), crypto::Key(), 10));
    session->initiator = initiator;
    session->local_index = index;
    set.add(session);
    held.push_back(session);
    return session.get();
  }
  Peer peer{crypto::PublicKey{}, kPaperProfile};
  std::vector<SessionRef> held;  // as a Work holds them
};

TEST_F(Sessions, OfThreeTheInitiatorsIsCurrentAtOnce) {
  SessionSet set(SessionRule::three);
  Session* first = add(set, true, 1);
  EXPECT_EQ(set.current(), first);
  Session* second = add(set, true, 2);
  EXPECT_EQ(set.current(), second);
  EXPECT_EQ(set.find(1), first) << "the previous one still opens";
  add(set, true, 3);
  EXPECT_EQ(set.find(1), nullptr);
  EXPECT_EQ(first->peer, nullptr) << "let go: its jobs come back to nobody";
  EXPECT_EQ(second->peer, &peer);
}

TEST_F(Sessions, OfThreeTheRespondersWaitsForItsFirstPacket) {
  SessionSet set(SessionRule::three);
  Session* first = add(set, true, 1);
  Session* second = add(set, false, 2);
  EXPECT_EQ(set.current(), first);
  EXPECT_EQ(set.next(), second);
  EXPECT_FALSE(set.confirm(*first));
  EXPECT_TRUE(set.confirm(*second));
  EXPECT_EQ(set.current(), second);
  EXPECT_FALSE(set.confirm(*second));
  EXPECT_EQ(set.find(1), first);
  EXPECT_FALSE(set.confirm(*first)) << "the previous one does not come back";
  Session* third = add(set, false, 3);
  EXPECT_EQ(set.find(1), nullptr) << "a new next takes the previous one's place";
  Session* fourth = add(set, true, 4);
  EXPECT_EQ(set.current(), fourth);
  EXPECT_EQ(set.find(3), third) << "an unconfirmed next becomes previous";
  EXPECT_EQ(set.find(2), nullptr);
}

TEST_F(Sessions, OfSlotsEightOpenAndTheNinthOverwrites) {
  SessionSet set(SessionRule::slots);
  std::vector<Session*> all;
  for (std::uint32_t i = 1; i <= 8; ++i) all.push_back(add(set, i % 2 == 0, i));
  for (std::uint32_t i = 1; i <= 8; ++i) EXPECT_EQ(set.find(i), all[i - 1]);
  EXPECT_EQ(set.current(), all[7]);
  EXPECT_FALSE(set.confirm(*all[0])) << "never to an earlier session than the current one";
  EXPECT_EQ(set.current(), all[7]);
  Session* ninth = add(set, false, 9);
  EXPECT_EQ(set.find(1), nullptr);
  EXPECT_EQ(all[0]->peer, nullptr);
  EXPECT_TRUE(set.confirm(*ninth));
  EXPECT_EQ(set.current(), ninth);
}

TEST_F(Sessions, TheCurrentOnesIndexIsForgottenWithIt) {
  SessionSet set(SessionRule::slots);
  Session* first = add(set, true, 1);
  Session* later = add(set, false, 9);
  EXPECT_EQ(set.find(1), nullptr) << "overwritten while it was current";
  EXPECT_EQ(first->peer, nullptr);
  EXPECT_EQ(set.current(), nullptr);
  EXPECT_TRUE(set.confirm(*later));
  EXPECT_EQ(set.find(9), later);
  EXPECT_EQ(set.find(0), nullptr) << "of empty places";
  set.clear();
  EXPECT_EQ(set.find(9), nullptr);
}

TEST_F(Sessions, AgeDropsThem) {
  SessionSet set(SessionRule::slots);
  add(set, true, 1)->birth = Instant(10s);
  add(set, true, 2)->birth = Instant(20s);
  EXPECT_EQ(set.oldest_birth(), Instant(10s));
  set.drop_older_than(180s, Instant(190s));
  EXPECT_EQ(set.find(1), nullptr);
  EXPECT_NE(set.find(2), nullptr);
  set.clear();
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.current(), nullptr);
  EXPECT_EQ(set.oldest_birth(), Instant::max());
}

struct Sleeper {
  std::uint32_t heap_position = kNotInHeap;
};
struct SleeperWithDeadline {
  std::uint32_t heap_position = kNotInHeap;
  Instant heap_deadline = Instant::max();
};

template <class T>
class DeadlineHeapOf : public testing::Test {};
using Sleepers = testing::Types<Sleeper, SleeperWithDeadline>;
TYPED_TEST_SUITE(DeadlineHeapOf, Sleepers);

TYPED_TEST(DeadlineHeapOf, AgreesWithASearchThroughAll) {
  SeededRandom random(5);
  DeadlineHeap<TypeParam> heap;
  std::vector<TypeParam> sleepers(200);
  std::vector<Instant> deadlines(sleepers.size(), Instant::max());
  for (int step = 0; step < 20000; ++step) {
    const std::size_t i = random.u32() % sleepers.size();
    deadlines[i] = random.u32() % 4 == 0 ? Instant::max() : Instant(Duration(random.u32() % 1000));
    heap.set(sleepers[i], deadlines[i]);
    ASSERT_EQ(heap.deadline_of(sleepers[i]), deadlines[i]);
    if (step % 7 == 0) {
      heap.remove(sleepers[i]);
      deadlines[i] = Instant::max();
      ASSERT_EQ(heap.deadline_of(sleepers[i]), Instant::max());
    }
    const Instant earliest = *std::ranges::min_element(deadlines);
    ASSERT_EQ(heap.empty(), earliest == Instant::max());
    if (heap.empty()) continue;
    ASSERT_EQ(heap.top_deadline(), earliest);
    ASSERT_EQ(deadlines[static_cast<std::size_t>(heap.top() - sleepers.data())], earliest);
  }
}

TEST(HandshakeQueue, IsBoundedAndKeepsOrder) {
  HandshakeQueue queue;
  std::vector<std::byte> message(kResponseBytes);
  for (std::uint32_t i = 0; i < kHandshakeQueueMessages; ++i) {
    store_le32(message, 0, i);
    packet::ReceivedDatagrams from;
    from.source.port = static_cast<std::uint16_t>(i);
    ASSERT_TRUE(queue.push(message, from));
  }
  EXPECT_FALSE(queue.push(message, {}));
  for (std::uint32_t i = 0; i < kHandshakeQueueMessages; ++i) {
    const QueuedHandshake& taken = queue.pop();
    ASSERT_EQ(load_le32(taken.view(), 0), i);
    ASSERT_EQ(taken.view().size(), kResponseBytes);
    ASSERT_EQ(taken.source.port, i);
  }
  EXPECT_TRUE(queue.empty());
}

TEST(EventQueue, GrowsToItsLimitAndThenTheOldestGo) {
  for (const std::size_t limit : {std::size_t{1}, std::size_t{7}, std::size_t{16}, std::size_t{100}}) {
    EventQueue queue(limit);
    const auto event = [](std::uint32_t number) {
      DeviceEvent made;
      store_le32(made.peer.bytes, 0, number);
      return made;
    };
    const auto number = [](const DeviceEvent& taken) { return load_le32(taken.peer.bytes, 0); };
    std::uint32_t pushed = 0;
    std::uint32_t popped = 0;
    // Grows while its first event is not in the first place.
    for (; pushed < std::min<std::uint32_t>(5, static_cast<std::uint32_t>(limit)); ++pushed)
      EXPECT_TRUE(queue.push(event(pushed)));
    EXPECT_EQ(number(*queue.pop()), popped++);
    while (pushed - popped < limit) EXPECT_TRUE(queue.push(event(pushed++)));
    for (int i = 0; i < 3; ++i, ++popped) EXPECT_FALSE(queue.push(event(pushed++)));
    for (; popped < pushed; ++popped) ASSERT_EQ(number(queue.pop().value()), popped);
    EXPECT_FALSE(queue.pop().has_value());
  }
}

}  // namespace
}  // namespace fireline::wireguard
