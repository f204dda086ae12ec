#include "core/crypto/xaead.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/core/crypto/hex.h"

namespace fireline::crypto {
namespace {

Key key_of(std::string_view hex) {
  return *Key::from_hex(hex);
}

XNonce nonce_of(std::string_view hex) {
  const auto bytes = from_hex(hex);
  XNonce nonce{};
  std::ranges::copy_n(bytes.begin(), kXNonceBytes, nonce.begin());
  return nonce;
}

struct Row {
  const char* rule;
  const char* key;
  std::uint64_t counter;  // AEAD
  const char* nonce;      // XAEAD
  const char* aad;
  std::vector<std::byte> plaintext;
  std::vector<std::byte> sealed;
};

const std::string kSunscreen =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
    "it.";

std::vector<Row> aead_rows() {
  return {
      {"RFC 8439 appendix A.5", "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", 0x0807060504030201,
       "", "f33388860000000000004e91",
       from_text("Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, "
                 "or obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as "
                 "reference material or to cite them other than as /\xe2\x80\x9cwork in progress./\xe2\x80\x9d"),
       from_hex("64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2"
                "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
                "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
                "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
                "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e"
                "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
                "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
                "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
                "a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38")},
      {"WireGuard: the static key in an initiation", "1295d5fce6e4fd28e89cacb34e3fc1b5f94a5e7424439e3ab3b659d2f57ec290",
       0, "", "78c39ebb1ff92afd4ce9aac9a0595053e641dbb7f5032a122b3458a29474f1e6",
       from_hex("7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"),
       from_hex("81e498317da959fba46669572516a5e6c021bfa620bb6c56ca0082e1feae1498"
                "8c2c64d024c617734a263f76a008df04")},
      {"WireGuard: the empty text of a response",
       "93aea81c527a269cad3c1b29353a100cc145e64a115f8c217934ede9a6475415",
       0,
       "",
       "2ef9611c9b342226e5ddcf756295d6bda48d28b736c4bd5b98909a85aac3872e",
       {},
       from_hex("63ca7f161515d94de136489b1a9d5822")},
  };
}

std::vector<Row> xaead_rows() {
  return {
      {"draft-irtf-cfrg-xchacha-03 appendix A.3.1", "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
       0, "404142434445464748494a4b4c4d4e4f5051525354555657", "50515253c0c1c2c3c4c5c6c7", from_text(kSunscreen),
       from_hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
                "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
                "21f9664c97637da9768812f615c68b13b52e"
                "c0875924c1c7987947deafd8780acf49")},
      {"WireGuard: a cookie, with mac1 as additional data",
       "f38243a909cf26b7ec109798fd3dfdbdb7592367db444819154f6582389fdc1b", 0,
       "000102030405060708090a0b0c0d0e0f1011121314151617", "1b8f375f77d6166d3e1f06cd004a42d6",
       std::vector(16, std::byte{0x66}), from_hex("7c57851bedad0fbdbae90ec658d2734d5cf38137b434b6d192a466b39a5a1014")},
  };
}

TEST(HandshakeAead, SealsAndOpensTheVectors) {
  for (const Row& row : aead_rows()) {
    SCOPED_TRACE(row.rule);
    const Key key = key_of(row.key);
    const auto aad = from_hex(row.aad);
    std::vector<std::byte> sealed(row.plaintext.size() + kTagBytes);
    aead_seal(key, row.counter, row.plaintext, aad, sealed);
    EXPECT_EQ(to_hex(sealed), to_hex(row.sealed));
    std::vector<std::byte> opened(row.plaintext.size());
    EXPECT_TRUE(aead_open(key, row.counter, sealed, aad, opened));
    EXPECT_EQ(opened, row.plaintext);
  }
}

TEST(Xaead, SealsAndOpensTheVectors) {
  for (const Row& row : xaead_rows()) {
    SCOPED_TRACE(row.rule);
    const Key key = key_of(row.key);
    const XNonce nonce = nonce_of(row.nonce);
    const auto aad = from_hex(row.aad);
    std::vector<std::byte> sealed(row.plaintext.size() + kTagBytes);
    xaead_seal(key, nonce, row.plaintext, aad, sealed);
    EXPECT_EQ(to_hex(sealed), to_hex(row.sealed));
    std::vector<std::byte> opened(row.plaintext.size());
    EXPECT_TRUE(xaead_open(key, nonce, sealed, aad, opened));
    EXPECT_EQ(opened, row.plaintext);
  }
}

TEST(HandshakeAead, RefusesWhatWasChangedAndLeavesNoPlaintext) {
  for (const Row& row : aead_rows()) {
    SCOPED_TRACE(row.rule);
    const Key key = key_of(row.key);
    Key other_key = key;
    other_key.mutable_bytes()[0] ^= std::byte{1};
    const auto aad = from_hex(row.aad);
    auto other_aad = aad;
    other_aad[0] ^= std::byte{1};
    auto other_tag = row.sealed;
    other_tag.back() ^= std::byte{1};
    auto other_front = row.sealed;
    other_front.front() ^= std::byte{1};

    const std::vector<std::byte> zeros(row.plaintext.size());
    const auto opens = [&](const Key& k, std::uint64_t counter, ConstBytes sealed, ConstBytes a) {
      std::vector<std::byte> opened(row.plaintext.size(), std::byte{0x55});
      const bool authentic = aead_open(k, counter, sealed, a, opened);
      EXPECT_TRUE(authentic || opened == zeros);
      return authentic;
    };
    EXPECT_TRUE(opens(key, row.counter, row.sealed, aad));
    EXPECT_FALSE(opens(other_key, row.counter, row.sealed, aad));
    EXPECT_FALSE(opens(key, row.counter + 1, row.sealed, aad));
    EXPECT_FALSE(opens(key, row.counter, row.sealed, other_aad));
    EXPECT_FALSE(opens(key, row.counter, row.sealed, {}));
    EXPECT_FALSE(opens(key, row.counter, other_tag, aad));
    EXPECT_FALSE(opens(key, row.counter, other_front, aad));
  }
}

TEST(Xaead, RefusesWhatWasChangedAndLeavesNoPlaintext) {
  for (const Row& row : xaead_rows()) {
    SCOPED_TRACE(row.rule);
    const Key key = key_of(row.key);
    Key other_key = key;
    other_key.mutable_bytes()[31] ^= std::byte{1};
    const XNonce nonce = nonce_of(row.nonce);
    XNonce early_nonce = nonce;
    early_nonce[0] ^= std::byte{1};
    XNonce late_nonce = nonce;
    late_nonce[23] ^= std::byte{1};
    const auto aad = from_hex(row.aad);
    auto other_tag = row.sealed;
    other_tag.back() ^= std::byte{1};

    const std::vector<std::byte> zeros(row.plaintext.size());
    const auto opens = [&](const Key& k, const XNonce& n, ConstBytes sealed, ConstBytes a) {
      std::vector<std::byte> opened(row.plaintext.size(), std::byte{0x55});
      const bool authentic = xaead_open(k, n, sealed, a, opened);
      EXPECT_TRUE(authentic || opened == zeros);
      return authentic;
    };
    EXPECT_TRUE(opens(key, nonce, row.sealed, aad));
    EXPECT_FALSE(opens(other_key, nonce, row.sealed, aad));
    EXPECT_FALSE(opens(key, early_nonce, row.sealed, aad));
    EXPECT_FALSE(opens(key, late_nonce, row.sealed, aad));
    EXPECT_FALSE(opens(key, nonce, row.sealed, {}));
    EXPECT_FALSE(opens(key, nonce, other_tag, aad));
  }
}

TEST(HandshakeAead, WorksInPlace) {
  const Row row = aead_rows().front();
  const Key key = key_of(row.key);
  const auto aad = from_hex(row.aad);
  std::vector<std::byte> memory = row.plaintext;
  memory.resize(row.sealed.size());
  const Bytes plaintext = Bytes(memory).first(row.plaintext.size());
  aead_seal(key, row.counter, plaintext, aad, memory);
  EXPECT_EQ(memory, row.sealed);
  EXPECT_TRUE(aead_open(key, row.counter, memory, aad, plaintext));
  EXPECT_TRUE(std::ranges::equal(plaintext, row.plaintext));
}

TEST(HandshakeAeadDeathTest, RefusesLengthsThatDoNotFit) {
  const Key key;
  std::vector<std::byte> plaintext(10);
  std::vector<std::byte> sealed(10 + kTagBytes - 1);
  EXPECT_DEATH(aead_seal(key, 0, plaintext, {}, sealed), "");
  EXPECT_DEATH(static_cast<void>(aead_open(key, 0, sealed, {}, plaintext)), "");
  EXPECT_DEATH(static_cast<void>(xaead_open(key, {}, ConstBytes(sealed).first(15), {}, {})), "");
}

}  // namespace
}  // namespace fireline::crypto
