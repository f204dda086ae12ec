// RFC 4231 (HMAC-SHA256), FIPS 180-4 (SHA-256), RFC 4648 (base64), and the relay specification's password.
#include "core/crypto/sha256.h"

#include <gtest/gtest.h>

#include "core/crypto/keys.h"
#include "core/crypto/turn_password.h"
#include "tests/unit/core/crypto/hex.h"

namespace fireline::crypto {
namespace {

TEST(Sha256, PartsAreOneText) {
  constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(hex(sha256({from_text("abc")})), kAbc);
  EXPECT_EQ(hex(sha256({from_text("a"), {}, from_text("bc")})), kAbc);
}

TEST(HmacSha256, Rfc4231) {
  struct Row {
    const char* rule;
    std::vector<std::byte> key;
    std::vector<std::byte> data;
    const char* hash;
  };
  const Row rows[] = {
      {"case 1", std::vector(20, std::byte{0x0b}), from_text("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"case 2: a short key", from_text("Jefe"), from_text("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"case 6: a key longer than a block", std::vector(131, std::byte{0xaa}),
       from_text("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(hex(hmac_sha256(row.key, {row.data})), row.hash);
    EXPECT_EQ(hex(hmac_sha256(row.key, {ConstBytes(row.data).first(1), ConstBytes(row.data).subspan(1)})), row.hash);
  }
}

TEST(TurnPassword, Vector) {
  EXPECT_EQ(turn_password("1685984278", "1cab293a-4032-46f4-862a-40e5d174b0d2", "uvdgKvS9GXYZ_vmv").view(),
            "6xUIoZ+QvxKhRasLifwfRkMXl+ETLJUsFkHlXjlHAkg");
}

TEST(KeyText, Base64HasOneSpelling) {
  constexpr std::string_view kText = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
  ASSERT_TRUE(PublicKey::from_base64(kText).has_value());
  EXPECT_EQ(PublicKey::from_base64(kText)->to_base64(), kText);
  ASSERT_TRUE(Key::from_base64(kText).has_value());
  EXPECT_EQ(Key::from_base64(kText)->to_base64(), kText);
  struct Row {
    const char* rule;
    const char* text;
  };
  const Row rows[] = {
      {"no padding", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},
      {"the URL alphabet", "__ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
      {"31 bytes", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="},
      {"33 bytes", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"},
      {"bits behind the last byte", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="},
      {"a line break", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"},
      {"nothing", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_FALSE(PublicKey::from_base64(row.text).has_value());
    EXPECT_FALSE(Key::from_base64(row.text).has_value());
  }
}

TEST(SecretText, ComparesByText) {
  SecretText text("token");
  EXPECT_TRUE(text == SecretText("token"));
  EXPECT_FALSE(text == SecretText("taken"));
  EXPECT_FALSE(text == SecretText("toke"));
  text = SecretText();
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace fireline::crypto
