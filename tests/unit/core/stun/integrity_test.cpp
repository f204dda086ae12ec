// MESSAGE-INTEGRITY against OpenSSL's HMAC, for every kind of key: RFC 2104 treats those longer than a block otherwise.
#include "core/stun/integrity.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <vector>

#include "core/base/wire.h"

namespace fireline::stun {
namespace {

std::vector<std::byte> bytes_of(std::size_t count, unsigned seed) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(seed + 7 * i);
  return bytes;
}

TEST(Integrity, IsHmacSha1OfTheMessageWithTheLengthThatItWillHave) {
  for (const std::size_t key_bytes : {0u, 1u, 16u, 63u, 64u, 65u, 80u, 256u}) {
    for (const std::size_t message_bytes : {20u, 24u, 120u, 1024u}) {
      const auto key = bytes_of(key_bytes, 3);
      auto message = bytes_of(message_bytes, 5);
      const IntegrityValue value = integrity_of(message, key);

      store_be16(message, 2, static_cast<std::uint16_t>(message_bytes - 20 + 24));
      std::array<unsigned char, 20> expected{};
      unsigned length = 0;
      ASSERT_NE(HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()),
                     reinterpret_cast<const unsigned char*>(message.data()), message.size(), expected.data(), &length),
                nullptr);
      ASSERT_EQ(length, value.size());
      EXPECT_EQ(std::vector<std::byte>(value.begin(), value.end()),
                std::vector<std::byte>(reinterpret_cast<const std::byte*>(expected.data()),
                                       reinterpret_cast<const std::byte*>(expected.data()) + length))
          << key_bytes << " bytes of key, " << message_bytes << " of message";
    }
  }
}

}  // namespace
}  // namespace fireline::stun
