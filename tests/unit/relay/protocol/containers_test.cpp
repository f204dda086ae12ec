// The relay's containers against plain ones of the standard library, with random operations from a fixed seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "relay/protocol/answer_limiter.h"
#include "relay/protocol/hash_index.h"
#include "relay/protocol/lru_table.h"
#include "relay/protocol/port_pool.h"
#include "relay/protocol/slab.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr unsigned kSeed = 20251119;

TEST(Slab, UsesNumbersAgainAndRecordsStay) {
  Slab<std::uint64_t> slab;
  std::vector<std::uint32_t> numbers;
  std::vector<const std::uint64_t*> places;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    numbers.push_back(slab.add());
    slab[numbers.back()] = i;
    places.push_back(&slab[numbers.back()]);
  }
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(slab[numbers[i]], i);
    EXPECT_EQ(&slab[numbers[i]], places[i]);
  }
  for (const std::uint32_t number : numbers) slab.remove(number);
  EXPECT_EQ(slab.size(), 0u);
  std::set<std::uint32_t> again;
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t number = slab.add();
    EXPECT_EQ(slab[number], 0u) << "a new record is an empty one";
    again.insert(number);
  }
  EXPECT_EQ(again.size(), 1000u);
  EXPECT_LT(*again.rbegin(), 1024u) << "no new numbers while old ones are free";
}

// Few hashes, so that runs of places grow, wrap and close again.
TEST(HashIndex, AgreesWithAMapWhateverCollides) {
  std::mt19937 numbers(kSeed);
  const auto random = [&] { return static_cast<std::uint32_t>(numbers()); };
  for (const std::uint32_t hashes : {1u, 7u, 64u, 100000u}) {
    SCOPED_TRACE(hashes);
    HashIndex index;
    std::map<std::uint32_t, std::uint32_t> hash_of_record;
    for (int step = 0; step < 20000; ++step) {
      const std::uint32_t record = random() % 200;
      const auto known = hash_of_record.find(record);
      if (known == hash_of_record.end()) {
        const std::uint32_t hash = random() % hashes + (hashes == 7 ? 60u : 0u);
        index.insert(hash, record);
        hash_of_record.emplace(record, hash);
      } else if (random() % 2 == 0) {
        index.erase(known->second, record);
        hash_of_record.erase(known);
      }
      const std::uint32_t asked = random() % 200;
      const auto expected = hash_of_record.find(asked);
      const std::uint32_t hash = expected == hash_of_record.end() ? random() % hashes : expected->second;
      const std::uint32_t found = index.find(hash, [&](std::uint32_t other) { return other == asked; });
      ASSERT_EQ(found, expected == hash_of_record.end() ? kNoRecord : asked);
      ASSERT_EQ(index.size(), hash_of_record.size());
    }
  }
}

TEST(KeyHash, DependsOnEveryPartAndOnTheSeed) {
  ScriptedRandom random;
  const KeyHash hash(random);
  const KeyHash other(random);
  std::set<std::uint32_t> hashes;
  const auto add = [&](std::string_view endpoint, std::uint16_t more) {
    hashes.insert(hash(at(endpoint), more));
    hashes.insert(other(at(endpoint), more));
  };
  add("192.0.2.1:1", 0);
  add("192.0.2.2:1", 0);
  add("192.0.2.1:2", 0);
  add("192.0.2.1:1", 1);
  add("[2001:db8::1]:1", 0);
  add("[2001:db8::2]:1", 0);
  add("[2001:db8:1::1]:1", 0);
  EXPECT_EQ(hashes.size(), 14u);
}

TEST(KeyHash, SpreadsNeighbours) {
  ScriptedRandom random;
  const KeyHash hash(random);
  std::set<std::uint32_t> low_bits;
  for (unsigned port = 0; port < 65536; ++port) {
    low_bits.insert(
        hash(Endpoint{.address = *IpAddress::parse("192.0.2.1"), .port = static_cast<std::uint16_t>(port)}, 0x4000) &
        0xFFFF);
  }
  // 65,536 balls into as many bins fill 63 % of them.
  EXPECT_GT(low_bits.size(), 65536u * 60 / 100);
}

TEST(LruTable, AgreesWithAListThatForgetsItsEnd) {
  std::mt19937 numbers(kSeed);
  ScriptedRandom random;
  constexpr std::size_t kMax = 16;
  LruTable<Endpoint, unsigned> table(kMax, random);
  std::list<std::pair<Endpoint, unsigned>> model;  // used last in front
  for (unsigned step = 0; step < 20000; ++step) {
    const Endpoint key{.address = *IpAddress::parse("192.0.2.1"), .port = static_cast<std::uint16_t>(numbers() % 40)};
    const auto entry = std::ranges::find(model, key, &std::pair<Endpoint, unsigned>::first);
    if (numbers() % 8 == 0) {
      table.remove(key);
      if (entry != model.end()) model.erase(entry);
      continue;
    }
    const unsigned* const found = table.find(key);
    ASSERT_EQ(found != nullptr, entry != model.end());
    if (found != nullptr) {
      ASSERT_EQ(*found, entry->second);
      model.splice(model.begin(), model, entry);
      continue;
    }
    const auto added = table.add(key, step);
    ASSERT_EQ(*added.value, step);
    ASSERT_EQ(added.evicted, model.size() == kMax);
    if (model.size() == kMax) model.pop_back();
    model.emplace_front(key, step);
    ASSERT_EQ(table.size(), model.size());
  }
}

TEST(PortPool, GivesEachPortOnceAndEachAsOftenAsTheOthers) {
  ScriptedRandom random;
  PortPool pool(65533, 65535, random);
  std::map<std::uint16_t, int> first;
  for (int round = 0; round < 3000; ++round) {
    std::set<std::uint16_t> drawn;
    for (int i = 0; i < 3; ++i) {
      const auto port = pool.draw();
      ASSERT_TRUE(port.has_value());
      if (i == 0) ++first[*port];
      drawn.insert(*port);
    }
    ASSERT_EQ(drawn.size(), 3u);
    ASSERT_FALSE(pool.draw().has_value());
    for (const std::uint16_t port : drawn) pool.give_back(port);
  }
  for (const auto& [port, count] : first) EXPECT_NEAR(count, 1000, 120) << port;  // about five deviations
}

TEST(AnswerLimiter, ABurstFillsUpAgainEvenly) {
  ScriptedRandom random;
  Limits limits;
  limits.answers_per_second_source = 10;
  limits.answers_burst_source = 3;
  AnswerLimiter limiter(limits, random);
  const IpAddress source = *IpAddress::parse("192.0.2.1");
  Instant now{1h};
  const auto burst = [&] {
    int answers = 0;
    while (limiter.ask(now, source) == AnswerLimiter::Verdict::answer) ++answers;
    return answers;
  };
  EXPECT_EQ(burst(), 3);
  now += 99ms;
  EXPECT_EQ(burst(), 0);
  now += 1ms;
  EXPECT_EQ(burst(), 1);
  now += 200ms;
  EXPECT_EQ(burst(), 2);
  now += 24h;
  EXPECT_EQ(burst(), 3);
}

}  // namespace
}  // namespace fireline::relay
