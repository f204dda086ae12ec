#include "core/crypto/keys.h"

#include <gtest/gtest.h>

#include <array>
#include <new>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include "core/crypto/random.h"
#include "core/crypto/secret.h"
#include "tests/unit/core/crypto/hex.h"

namespace fireline::crypto {
namespace {

const std::string kDigits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

Key counting_key() {
  const auto bytes = counting(kKeyBytes);
  return Key(std::span<const std::byte, kKeyBytes>(bytes));
}

bool all_zero(ConstBytes bytes) {
  for (const std::byte byte : bytes) {
    if (byte != std::byte{0}) return false;
  }
  return true;
}

TEST(Key, ReadsStrictHex) {
  struct Row {
    const char* rule;
    std::string hex;
    bool valid;
  };
  const Row rows[] = {
      {"64 lower-case digits", kDigits, true},
      {"upper and lower case mixed", "000102030405060708090A0b0c0D0E0f101112131415161718191A1B1C1D1E1F", true},
      {"nothing", "", false},
      {"63 digits", kDigits.substr(1), false},
      {"62 digits", kDigits.substr(2), false},
      {"65 digits", kDigits + "0", false},
      {"66 digits", kDigits + "00", false},
      {"a letter behind f", kDigits.substr(0, 63) + "g", false},
      {"a letter behind f in front", "g" + kDigits.substr(1), false},
      {"a character below 0", "/" + kDigits.substr(1), false},
      {"a colon between digits", kDigits.substr(0, 31) + ":" + kDigits.substr(32), false},
      {"a space in front", " " + kDigits.substr(1), false},
      {"a newline behind", kDigits.substr(0, 63) + "\n", false},
      {"a zero byte inside", kDigits.substr(0, 10) + std::string(1, '\0') + kDigits.substr(11), false},
      {"0x in front", "0x" + kDigits.substr(2), false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto key = Key::from_hex(row.hex);
    const auto public_key = PublicKey::from_hex(row.hex);
    EXPECT_EQ(key.has_value(), row.valid);
    EXPECT_EQ(public_key.has_value(), row.valid);
    if (!row.valid || !key || !public_key) continue;
    EXPECT_EQ(*key, counting_key());
    EXPECT_EQ(key->to_hex(), kDigits);
    EXPECT_EQ(public_key->to_hex(), kDigits);
  }
}

TEST(Key, ComparesAllBytes) {
  const Key key = counting_key();
  EXPECT_EQ(key, counting_key());
  EXPECT_TRUE(Key().is_zero());
  EXPECT_FALSE(key.is_zero());
  for (std::size_t i = 0; i < kKeyBytes; ++i) {
    Key other = key;
    other.mutable_bytes()[i] ^= std::byte{0x80};
    EXPECT_NE(key, other) << "byte " << i;
    Key one_bit;
    one_bit.mutable_bytes()[i] = std::byte{1};
    EXPECT_FALSE(one_bit.is_zero()) << "byte " << i;
  }
}

TEST(Key, IsErasedWhereItMovesFrom) {
  Key source = counting_key();
  Key target(std::move(source));
  EXPECT_EQ(target, counting_key());
  EXPECT_TRUE(source.is_zero());  // NOLINT(bugprone-use-after-move): the promise under test

  Key assigned;
  assigned = std::move(target);
  EXPECT_EQ(assigned, counting_key());
  EXPECT_TRUE(target.is_zero());  // NOLINT(bugprone-use-after-move)

  Key& same = assigned;
  assigned = std::move(same);
  EXPECT_EQ(assigned, counting_key()) << "moving a key to itself keeps it";
}

TEST(Key, IsErasedWhenItDies) {
  alignas(Key) std::array<std::byte, sizeof(Key)> memory{};
  Key* key = new (memory.data()) Key(counting_key());
  ASSERT_FALSE(all_zero(memory));
  std::destroy_at(key);
  EXPECT_TRUE(all_zero(memory));
}

TEST(PublicKey, WritesBase64AsWgShowsIt) {
  EXPECT_EQ(PublicKey{}.to_base64(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  EXPECT_EQ(PublicKey::from_hex(kDigits)->to_base64(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
  EXPECT_EQ(PublicKey::from_hex("fbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbef")->to_base64(),
            "++++++++++++++++++++++++++++++++++++++++++8=")
      << "the standard alphabet, not the one for URLs";
}

TEST(PublicKey, IsOrderedAndHashable) {
  const PublicKey low = *PublicKey::from_hex(kDigits);
  PublicKey high = low;
  high.bytes[31] = std::byte{0xff};
  EXPECT_LT(low, high);
  EXPECT_EQ(low, *PublicKey::from_hex(kDigits));
  EXPECT_EQ((std::unordered_set<PublicKey>{low, high, low}.size()), 2U);
}

TEST(Secret, IsComparedByLengthAndEveryByte) {
  for (const std::size_t length : {1U, 12U, 16U, 20U, 32U, 64U}) {
    const auto secret = counting(length, 1);
    EXPECT_TRUE(equal_constant_time(secret, counting(length, 1))) << length;
    EXPECT_FALSE(equal_constant_time(secret, ConstBytes(secret).first(length - 1))) << length;
    for (std::size_t i = 0; i < length; ++i) {
      auto other = secret;
      other[i] ^= std::byte{1};
      EXPECT_FALSE(equal_constant_time(secret, other)) << length << " bytes, byte " << i;
    }
  }
  EXPECT_TRUE(equal_constant_time({}, {}));
}

TEST(Secret, IsWiped) {
  auto bytes = counting(20, 1);
  wipe(bytes);
  EXPECT_TRUE(all_zero(bytes));
}

TEST(SystemRandom, FillsAllBytesEachTimeAnew) {
  SystemRandom random;
  std::array<std::byte, 64> first{};
  std::array<std::byte, 64> second{};
  random.fill(first);
  random.fill(second);
  EXPECT_NE(first, second);
  for (const ConstBytes part : {ConstBytes(first).first(16), ConstBytes(first).last(16)}) EXPECT_FALSE(all_zero(part));
}

}  // namespace
}  // namespace fireline::crypto
