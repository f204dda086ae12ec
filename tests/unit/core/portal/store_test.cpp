#include "core/portal/store.h"

#include <gtest/gtest.h>

#include "tests/unit/core/crypto/seeded_random.h"

namespace fireline::portal {
namespace {

TEST(Token, HasItsKindAnd43SafeCharacters) {
  crypto::SeededRandom random(1);
  for (int i = 0; i < 100; ++i) {
    const std::string token = make_token(TokenKind::client, random);
    ASSERT_EQ(token.size(), 4U + 43U);
    EXPECT_EQ(token.substr(0, 4), "flc_");
    EXPECT_EQ(token.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
              std::string::npos)
        << token;
  }
  EXPECT_EQ(make_token(TokenKind::gateway, random).substr(0, 4), "flg_");
  EXPECT_EQ(make_token(TokenKind::relay, random).substr(0, 4), "flr_");
  EXPECT_NE(make_token(TokenKind::relay, random), make_token(TokenKind::relay, random));
}

TEST(Token, IsKnownByTheSha256OfItsText) {
  // FIPS 180-2 appendix B.1.
  const TokenHash hash = token_hash("abc");
  EXPECT_EQ(hash[0], std::byte{0xBA});
  EXPECT_EQ(hash[31], std::byte{0xAD});
}

TEST(Token, IsValidUntilItExpiresOrIsRevoked) {
  Token token;
  EXPECT_TRUE(token.valid(1000)) << "without an end";
  token.expires = 1000;
  EXPECT_TRUE(token.valid(999));
  EXPECT_FALSE(token.valid(1000)) << "at the second of its expiry";
  token.expires = 2000;
  token.revoked = 5;
  EXPECT_FALSE(token.valid(999));
}

}  // namespace
}  // namespace fireline::portal
