#include "core/wireguard/allowed_ips.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/wireguard/session.h"
#include "tests/unit/core/wireguard/handshake_fixture.h"

namespace fireline::wireguard {
namespace {

Prefix prefix(const std::string& text) {
  return Prefix::parse(text).value();
}

const AllowedIpsOwner* find(const AllowedIps& table, const std::string& address) {
  return table.find(IpAddress::parse(address).value().bytes());
}

std::vector<std::string> list(const AllowedIps& table, const AllowedIpsOwner& owner) {
  std::vector<std::string> texts;
  table.for_each(owner, [&](const Prefix& held) { texts.push_back(held.to_string()); });
  return texts;
}

TEST(AllowedIps, TheLongestPrefixWins) {
  AllowedIps table;
  AllowedIpsOwner a, b, c, d;
  table.insert(prefix("0.0.0.0/0"), a);
  table.insert(prefix("10.0.0.0/8"), b);
  table.insert(prefix("10.1.0.0/16"), c);
  table.insert(prefix("10.1.2.3/32"), d);
  table.insert(prefix("::/0"), d);
  table.insert(prefix("fd00::/64"), c);
  table.insert(prefix("fd00:0:0:0:8000::/65"), b);
  table.insert(prefix("fd00::7/128"), a);
  const struct {
    const char* address;
    const AllowedIpsOwner* owner;
  } rows[] = {{"192.0.2.1", &a},  {"10.255.0.1", &b}, {"10.1.2.4", &c},           {"10.1.2.3", &d}, {"0.0.0.0", &a},
              {"2001:db8::", &d}, {"fd00::8", &c},    {"fd00:0:0:0:8000::1", &b}, {"fd00::7", &a},  {"fd01::", &d}};
  for (const auto& row : rows) EXPECT_EQ(find(table, row.address), row.owner) << row.address;
}

TEST(AllowedIps, NoPrefixNoOwner) {
  AllowedIps table;
  AllowedIpsOwner a;
  EXPECT_EQ(find(table, "10.0.0.1"), nullptr);
  table.insert(prefix("10.0.0.0/24"), a);
  EXPECT_EQ(find(table, "10.0.1.0"), nullptr);
  EXPECT_EQ(find(table, "::ffff:10.0.0.1"), nullptr) << "the families are two worlds";
}

TEST(AllowedIps, APrefixBelongsToTheLastWhoGotIt) {
  AllowedIps table;
  AllowedIpsOwner a, b;
  table.insert(prefix("10.0.0.0/24"), a);
  table.insert(prefix("10.0.1.0/24"), a);
  table.insert(prefix("10.0.0.0/24"), b);
  table.insert(prefix("10.0.0.0/24"), b);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(find(table, "10.0.0.9"), &b);
  EXPECT_EQ(list(table, a), std::vector<std::string>{"10.0.1.0/24"});
  EXPECT_EQ(list(table, b), std::vector<std::string>{"10.0.0.0/24"});
  EXPECT_FALSE(table.remove(prefix("10.0.0.0/24"), a)) << "who does not hold it cannot give it up";
  EXPECT_TRUE(table.remove(prefix("10.0.0.0/24"), b));
  EXPECT_FALSE(table.remove(prefix("10.0.0.0/24"), b));
  EXPECT_EQ(find(table, "10.0.0.9"), nullptr);
}

TEST(AllowedIps, ASlotGuessesTheSessionThatWasNotedLast) {
  struct Pair {
    AllowedIpsOwner owner;
    Session session{nullptr, crypto::Key(), crypto::Key(), 10};
  };
  const auto pair = std::make_unique<Pair>();
  AllowedIps ips;
  ASSERT_TRUE(ips.insert(*Prefix::parse("10.0.0.0/8"), pair->owner));
  const IpAddress inside = *IpAddress::parse("10.1.2.3"), outside = *IpAddress::parse("11.1.2.3");
  EXPECT_EQ(ips.guess_session(inside.bytes()), nullptr);
  ips.note_session(inside.bytes(), &pair->session);
  EXPECT_EQ(ips.guess_session(inside.bytes()), &pair->session);
  ips.note_session(outside.bytes(), &pair->session);
  EXPECT_EQ(ips.guess_session(outside.bytes()), nullptr) << "nobody's";
  ips.remove_all(pair->owner);
  EXPECT_EQ(ips.guess_session(inside.bytes()), nullptr);
}

TEST(AllowedIps, TheListKeepsTheOrderOfInsertion) {
  AllowedIps table;
  AllowedIpsOwner a;
  for (const char* text : {"10.0.0.0/8", "fd00::/16", "0.0.0.0/0", "10.0.0.1/32"}) table.insert(prefix(text), a);
  table.remove(prefix("fd00::/16"), a);
  table.insert(prefix("fd01::/16"), a);
  EXPECT_EQ(list(table, a), (std::vector<std::string>{"10.0.0.0/8", "0.0.0.0/0", "10.0.0.1/32", "fd01::/16"}));
  table.remove_all(a);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(find(table, "10.0.0.1"), nullptr);
}

// Against a list that is searched from end to end.
TEST(AllowedIps, AgreesWithASearchThroughAll) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    AllowedIps table;
    std::array<AllowedIpsOwner, 5> owners;
    std::vector<std::pair<Prefix, AllowedIpsOwner*>> all;
    const auto random_address = [&] {
      std::array<std::byte, 16> bytes{};  // few distinct bits, so that prefixes nest
      for (std::byte& byte : bytes) byte = (random.u32() & 1u) != 0 ? std::byte{0x80} : std::byte{0};
      return IpAddress::from_bytes(ConstBytes(bytes).first((random.u32() & 1u) != 0 ? 4 : 16));
    };
    for (int step = 0; step < 2000; ++step) {
      const IpAddress address = random_address();
      const Prefix changed = Prefix::make(address, random.u32() % (address.bits() + 1)).value();
      AllowedIpsOwner& owner = owners[random.u32() % owners.size()];
      const auto at = std::ranges::find(all, changed, &std::pair<Prefix, AllowedIpsOwner*>::first);
      if (random.u32() % 3 != 0) {
        ASSERT_TRUE(table.insert(changed, owner));
        if (at != all.end()) at->second = &owner;
        if (at == all.end()) all.emplace_back(changed, &owner);
      } else {
        const bool holds = at != all.end() && at->second == &owner;
        ASSERT_EQ(table.remove(changed, owner), holds);
        if (holds) all.erase(at);
      }
      if (step % 500 == 499) {
        table.remove_all(owner);
        std::erase_if(all, [&](const auto& entry) { return entry.second == &owner; });
      }
      ASSERT_EQ(table.size(), all.size());
      const IpAddress asked = random_address();
      const AllowedIpsOwner* expected = nullptr;
      int longest = -1;
      for (const auto& [held, holder] : all) {
        if (!held.contains(asked) || static_cast<int>(held.length()) <= longest) continue;
        longest = static_cast<int>(held.length());
        expected = holder;
      }
      ASSERT_EQ(table.find(asked.bytes()), expected) << asked.to_string();
    }
  }
}

TEST(AllowedIps, TenThousandPeers) {
  AllowedIps table;
  std::vector<AllowedIpsOwner> owners(10000);
  const auto address = [](std::size_t i) {
    return "10." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".1";
  };
  for (std::size_t i = 0; i < owners.size(); ++i) {
    table.insert(prefix(address(i) + "/32"), owners[i]);
    table.insert(prefix("fd00::" + std::to_string(i) + ":0/112"), owners[i]);
  }
  EXPECT_EQ(table.size(), 20000u);
  for (std::size_t i = 0; i < owners.size(); i += 7) {
    EXPECT_EQ(find(table, address(i)), &owners[i]);
    EXPECT_EQ(find(table, "fd00::" + std::to_string(i) + ":5"), &owners[i]);
  }
  for (AllowedIpsOwner& owner : owners) table.remove_all(owner);
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace fireline::wireguard
