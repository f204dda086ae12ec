#include "core/crypto/blake2s.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>
#include <random>

#include "tests/unit/core/crypto/hex.h"

namespace fireline::crypto {
namespace {

const std::vector<std::byte> kNothing;

unsigned char* raw(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}
const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

// An implementation that we did not write.
std::vector<std::byte> openssl_blake2s(ConstBytes input) {
  std::vector<std::byte> digest(kHashBytes);
  unsigned size = 0;
  EXPECT_EQ(EVP_Digest(input.data(), input.size(), raw(digest.data()), &size, EVP_blake2s256(), nullptr), 1);
  EXPECT_EQ(size, kHashBytes);
  return digest;
}

std::vector<std::byte> openssl_mac(ConstBytes key, ConstBytes input, std::size_t mac_bytes) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr),
                                                              EVP_MAC_free);
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(mac.get()), EVP_MAC_CTX_free);
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &mac_bytes),
                                   OSSL_PARAM_construct_end()};
  std::vector<std::byte> result(mac_bytes);
  std::size_t size = 0;
  EXPECT_EQ(EVP_MAC_init(context.get(), raw(key.data()), key.size(), parameters), 1);
  EXPECT_EQ(EVP_MAC_update(context.get(), raw(input.data()), input.size()), 1);
  EXPECT_EQ(EVP_MAC_final(context.get(), raw(result.data()), &size, result.size()), 1);
  return result;
}

std::vector<std::byte> openssl_hmac(ConstBytes key, ConstBytes input) {
  std::vector<std::byte> result(kHashBytes);
  std::size_t size = 0;
  EXPECT_NE(EVP_Q_mac(nullptr, "HMAC", nullptr, "BLAKE2S-256", nullptr, key.data(), key.size(), raw(input.data()),
                      input.size(), raw(result.data()), result.size(), &size),
            nullptr);
  EXPECT_EQ(size, kHashBytes);
  return result;
}

TEST(Blake2s, GivesTheHashesOfTheRfcAndOfTheReferenceImplementation) {
  struct Row {
    const char* rule;
    std::vector<std::byte> input;
    const char* hash;
  };
  const Row rows[] = {
      {"RFC 7693 appendix B: abc", from_text("abc"),
       "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"},
      {"nothing", kNothing, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"},
      {"the construction's name: C0 of WireGuard", from_text("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"),
       "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36"},
  };
  for (const Row& row : rows) EXPECT_EQ(to_hex(hash(row.input)), row.hash) << row.rule;
}

TEST(Blake2s, HashesSeveralInputsAsOne) {
  const Hash c0 = hash(from_text("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"));
  EXPECT_EQ(to_hex(hash(c0, from_text("WireGuard v1 zx2c4 Jason@zx2c4.com"))),
            "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3");
}

// RFC 7693 appendix E: one hash over the hashes of many lengths, digest sizes and keys.
TEST(Blake2s, PassesTheSelfTestOfTheRfc) {
  const auto sequence = [](std::size_t length, std::uint32_t seed) {
    std::vector<std::byte> bytes(length);
    std::uint32_t a = 0xDEAD4BADU * seed;
    std::uint32_t b = 1;
    for (std::byte& byte : bytes) {
      const std::uint32_t t = a + b;
      a = b;
      b = t;
      byte = static_cast<std::byte>((t >> 24) & 0xff);
    }
    return bytes;
  };
  Blake2s total;
  for (const std::size_t hash_bytes : {16U, 20U, 28U, 32U}) {
    for (const std::size_t input_bytes : {0U, 3U, 64U, 65U, 255U, 1024U}) {
      const auto input = sequence(input_bytes, static_cast<std::uint32_t>(input_bytes));
      const auto key = sequence(hash_bytes, static_cast<std::uint32_t>(hash_bytes));
      for (const ConstBytes used_key : {ConstBytes{}, ConstBytes(key)}) {
        Hash result;
        Blake2s blake(hash_bytes, used_key);
        blake.update(input);
        blake.finish(result);
        total.update(ConstBytes(result).first(hash_bytes));
      }
    }
  }
  Hash result;
  total.finish(result);
  EXPECT_EQ(to_hex(result), "6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe");
}

TEST(Mac, GivesTheConstantsOfWireGuard) {
  struct Row {
    const char* rule;
    std::vector<std::byte> key;
    std::vector<std::byte> input;
    const char* mac;
  };
  const Row rows[] = {
      {"a key of 32 bytes", counting(32), from_text("abc"), "61ba5f165c194692e09d12520cc4c74a"},
      {"a key of 16 bytes: the cookie of 192.0.2.1 in the first period", std::vector(16, std::byte{0x77}),
       from_hex("0000000000000000 c0000201 000000000000000000000000"), "c0b5b97612b8161178c6e51093743888"},
  };
  for (const Row& row : rows) EXPECT_EQ(to_hex(mac16(row.key, row.input)), row.mac) << row.rule;
}

TEST(Hmac, IsTheOneOfRfc2104) {
  EXPECT_EQ(hmac(from_text("key"), from_text("data")).to_hex(),
            "84f646acda0776ee848b7f9dc5771c7d8cf023999c0c3dd84dc78636a146e805");
  EXPECT_EQ(hmac(from_text("key"), from_text("da"), kNothing, from_text("ta")),
            hmac(from_text("key"), from_text("data")));
}

TEST(Kdf, GivesTheChainOfAWireGuardHandshake) {
  const Key c0 = *Key::from_hex("60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36");
  const auto ephemeral = from_hex("7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14");
  const char* t1 = "01c55808bf91efc4a10fdcde0976b8f9d48bc519545ef9c3752f28e35fe66a0a";
  const char* t2 = "6bd10a05c4102d8ba778da8024e4634f69556194d32c18568c2e5b4f083a2e56";
  EXPECT_EQ(kdf1(c0, ephemeral).to_hex(), t1);
  EXPECT_EQ(kdf2(c0, ephemeral)[0].to_hex(), t1);
  EXPECT_EQ(kdf2(c0, ephemeral)[1].to_hex(), t2);
  EXPECT_EQ(kdf3(c0, ephemeral)[1].to_hex(), t2);

  // Step 7 of the handshake: C, tau and k out of the preshared key.
  const Key chain = *Key::from_hex("396dd574304e4d53ebf291e46fe95ae3b47aa5b346c7f74692b8d3757016d4ef");
  const auto [c, tau, k] = kdf3(chain, std::vector(32, std::byte{0x55}));
  EXPECT_EQ(c.to_hex(), "209dea3ad2dc1f199fbabd13b4f744c30fe13520a3978ce6d931d8f30e20853c");
  EXPECT_EQ(tau.to_hex(), "bb21f95b6d2d39e2ba8a750bdb4a6d7e06fd15745aca74e5888267cb23558167");
  EXPECT_EQ(k.to_hex(), "93aea81c527a269cad3c1b29353a100cc145e64a115f8c217934ede9a6475415");

  // The transport keys come out of an empty input.
  const auto [send, receive] = kdf2(c, {});
  EXPECT_EQ(send.to_hex(), "a007faf842d83f5bd3be20a14e0ffcec34c84867b78b051980602713205922de");
  EXPECT_EQ(receive.to_hex(), "d982d5cd10d34a7802b6c19fa441cd9164d70e4f4d62007ab416879ee8bd1b99");
}

// Lengths around each block border, in one piece and in random pieces.
TEST(Blake2s, AgreesWithOpensslForEveryLengthAndSplit) {
  std::mt19937 random(7693);
  const auto data = counting(300, 17);
  const auto key = counting(100, 99);
  for (std::size_t length = 0; length <= data.size(); ++length) {
    const ConstBytes input = ConstBytes(data).first(length);
    const std::size_t first = random() % (length + 1);
    const std::size_t second = first + random() % (length - first + 1);
    const ConstBytes a = input.first(first);
    const ConstBytes b = input.subspan(first, second - first);
    const ConstBytes c = input.subspan(second);
    EXPECT_EQ(to_hex(hash(input)), to_hex(openssl_blake2s(input))) << length;
    EXPECT_EQ(hash(a, b, c), hash(input)) << length << " split at " << first << " and " << second;
    for (const std::size_t key_bytes : {16U, 32U}) {
      const ConstBytes mac_key = ConstBytes(key).first(key_bytes);
      EXPECT_EQ(to_hex(mac16(mac_key, a, b, c)), to_hex(openssl_mac(mac_key, input, kMacBytes))) << length;
    }
    for (const std::size_t key_bytes : {1U, 32U, 64U, 65U, 100U}) {
      const ConstBytes hmac_key = ConstBytes(key).first(key_bytes);
      EXPECT_EQ(hmac(hmac_key, a, b, c).to_hex(), to_hex(openssl_hmac(hmac_key, input))) << length;
    }
  }
}

TEST(Blake2sDeathTest, RefusesLengthsOutsideTheFormat) {
  const auto bytes = counting(33);
  EXPECT_DEATH(Blake2s(0), "");
  EXPECT_DEATH(Blake2s(33), "");
  EXPECT_DEATH(Blake2s(32, bytes), "");
  EXPECT_DEATH(static_cast<void>(mac16({}, bytes)), "") << "a MAC without a key protects nothing";
}

}  // namespace
}  // namespace fireline::crypto
