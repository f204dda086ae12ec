#include "core/crypto/x25519.h"

#include <gtest/gtest.h>

#include "tests/unit/core/crypto/hex.h"

namespace fireline::crypto {
namespace {

Key key_of(std::string_view hex) {
  return *Key::from_hex(hex);
}
PublicKey point(std::string_view hex) {
  return *PublicKey::from_hex(hex);
}

TEST(X25519, MultipliesAsTheRfcDoes) {
  struct Row {
    const char* rule;
    const char* scalar;
    const char* point;
    const char* product;
  };
  const Row rows[] = {
      {"RFC 7748 section 5.2, first vector", "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
       "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
       "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
      {"RFC 7748 section 5.2, second vector: the point's top bit is ignored",
       "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
       "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
       "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
      {"WireGuard: an ephemeral with a static key, unclamped",
       "3333333333333333333333333333333333333333333333333333333333333333",
       "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20",
       "1fdc192faa0212a9aae7bb4f41b580227fd5ad3e5d777faae230dfe973f3e805"},
      {"WireGuard: two static keys", "1111111111111111111111111111111111111111111111111111111111111111",
       "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20",
       "9e004098efc091d4ec2663b4e9f5cfd4d7064571690b4bea97ab146ab9f35056"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto product = shared_secret(key_of(row.scalar), point(row.point));
    ASSERT_TRUE(product.has_value());
    EXPECT_EQ(product->to_hex(), row.product);
  }
}

// RFC 7748 section 5.2: k, u = X25519(k, u), k, begun with nine.
TEST(X25519, SurvivesAThousandIterations) {
  Key scalar = key_of("0900000000000000000000000000000000000000000000000000000000000000");
  PublicKey u = point("0900000000000000000000000000000000000000000000000000000000000000");
  for (int i = 1; i <= 1000; ++i) {
    const auto product = shared_secret(scalar, u);
    ASSERT_TRUE(product.has_value());
    u = point(scalar.to_hex());
    scalar = *product;
    if (i == 1) {
      EXPECT_EQ(scalar.to_hex(), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
  }
  EXPECT_EQ(scalar.to_hex(), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(X25519, GivesThePublicKeysOfWireGuard) {
  struct Row {
    const char* private_key;
    const char* public_key;
  };
  const Row rows[] = {
      {"1111111111111111111111111111111111111111111111111111111111111111",
       "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"},
      {"2222222222222222222222222222222222222222222222222222222222222222",
       "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20"},
      {"4444444444444444444444444444444444444444444444444444444444444444",
       "ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b"},
  };
  for (const Row& row : rows) EXPECT_EQ(public_key(key_of(row.private_key)).to_hex(), row.public_key);
}

TEST(X25519, GivesNothingForPointsOfSmallOrder) {
  struct Row {
    const char* rule;
    const char* point;
  };
  const Row rows[] = {
      {"zero", "0000000000000000000000000000000000000000000000000000000000000000"},
      {"one", "0100000000000000000000000000000000000000000000000000000000000000"},
      {"order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"},
      {"order 8, the other", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"},
      {"p - 1", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
      {"p, which is zero", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
      {"p + 1, which is one", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
      {"zero with the ignored top bit set", "0000000000000000000000000000000000000000000000000000000000000080"},
  };
  const Key key = key_of("3333333333333333333333333333333333333333333333333333333333333333");
  for (const Row& row : rows) EXPECT_FALSE(shared_secret(key, point(row.point)).has_value()) << row.rule;
}

// Fills with one byte: what it gives is known.
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(std::byte value) : value_(value) {}
  void fill(Bytes bytes) noexcept override {
    for (std::byte& byte : bytes) byte = value_;
  }

 private:
  std::byte value_;
};

TEST(X25519, GeneratesClampedKeysFromTheGivenRandomness) {
  ConstantRandom ones(std::byte{0xff});
  EXPECT_EQ(generate_private_key(ones).to_hex(), "f8ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
  ConstantRandom zeros(std::byte{0});
  EXPECT_EQ(generate_private_key(zeros).to_hex(), "0000000000000000000000000000000000000000000000000000000000000040");
}

TEST(X25519, TwoSidesAgree) {
  SystemRandom random;
  for (int i = 0; i < 20; ++i) {
    const Key a = generate_private_key(random);
    const Key b = generate_private_key(random);
    EXPECT_NE(a, b);
    const auto ab = shared_secret(a, public_key(b));
    ASSERT_TRUE(ab.has_value());
    EXPECT_EQ(ab, shared_secret(b, public_key(a)));
  }
}

}  // namespace
}  // namespace fireline::crypto
