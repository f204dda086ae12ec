#include "core/stun/integrity.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/crypto/c_bytes.h"
#include "core/crypto/secret.h"

namespace fireline::stun {
namespace {

using crypto::c_bytes;

// RFC 8489 section 14.7: tells a STUN checksum from another protocol's CRC in the same place.
constexpr std::uint32_t kFingerprintXor = 0x5354554E;

struct MacDeleter {
  void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }  // wipes the key
};
struct DigestDeleter {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }  // wipes its state
};

// Looking an algorithm up by name costs more than hashing a message: once per process, never released.
EVP_MAC* hmac() noexcept {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  return algorithm;
}
const EVP_MD* md5() noexcept {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "MD5", nullptr);
  return algorithm;
}

// Neither hash can fail but for lack of memory or a library without them; an unsigned answer would be worse than none.
void require(bool done) noexcept {
  if (!done) std::abort();
}

// The front of a message with its length field as if `added` bytes of attribute were its last.
std::array<std::byte, 4> front_with_length(ConstBytes message, std::size_t added) noexcept {
  std::array<std::byte, 4> front;
  store_be16(front, 0, load_be16(message, 0));
  store_be16(front, 2, static_cast<std::uint16_t>(message.size() - kHeaderBytes + added));
  return front;
}

// IEEE 802.3, reflected, as zlib computes it.
constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1u) != 0 ? value >> 1 ^ 0xEDB88320u : value >> 1;
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

std::uint32_t crc_update(std::uint32_t crc, ConstBytes bytes) noexcept {
  for (const std::byte byte : bytes) crc = kCrcTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xFFu] ^ crc >> 8;
  return crc;
}

// Everything before the attribute with that value, which lies inside of the message.
ConstBytes before(const MessageView& message, ConstBytes value) noexcept {
  const auto offset = static_cast<std::size_t>(value.data() - message.bytes().data());
  return message.bytes().first(offset - kAttributeHeaderBytes);
}

}  // namespace

LongTermKey::LongTermKey(std::string_view username, std::string_view realm, std::string_view password) noexcept {
  const std::unique_ptr<EVP_MD_CTX, DigestDeleter> context(EVP_MD_CTX_new());
  require(context != nullptr && EVP_DigestInit_ex2(context.get(), md5(), nullptr) == 1);
  const auto update = [&](std::string_view text) {
    require(EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1);
  };
  update(username);
  update(":");
  update(realm);
  update(":");
  update(password);
  require(EVP_DigestFinal_ex(context.get(), c_bytes(bytes_.data()), nullptr) == 1);
}

LongTermKey::LongTermKey(std::span<const std::byte, kBytes> bytes) noexcept {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

LongTermKey::~LongTermKey() {
  crypto::wipe(bytes_);
}

Check check_integrity(const MessageView& message, ConstBytes key) noexcept {
  const auto value = message.find(Attribute::message_integrity);
  if (!value) return Check::absent;
  const IntegrityValue expected = integrity_of(before(message, *value), key);
  return crypto::equal_constant_time(*value, expected) ? Check::good : Check::wrong;
}

Check check_fingerprint(const MessageView& message) noexcept {
  const auto value = message.find(Attribute::fingerprint);
  if (!value) return Check::absent;
  const ConstBytes covered = before(message, *value);
  const bool is_last = covered.size() + kAttributeHeaderBytes + kFingerprintBytes == message.bytes().size();
  if (value->size() != kFingerprintBytes || !is_last) return Check::wrong;
  return load_be32(*value, 0) == fingerprint_of(covered) ? Check::good : Check::wrong;
}

IntegrityValue integrity_of(ConstBytes message, ConstBytes key) noexcept {
  char name[] = "SHA1";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                   OSSL_PARAM_construct_end()};
  const auto front = front_with_length(message, kAttributeHeaderBytes + kIntegrityBytes);
  const ConstBytes rest = message.subspan(front.size());
  // An empty key would leave the context without one; HMAC pads keys with zeros, so that a zero byte is the same key.
  static constexpr std::array<std::byte, 1> kEmptyKey{};
  if (key.empty()) key = kEmptyKey;

  IntegrityValue value;
  std::size_t written = 0;
  const std::unique_ptr<EVP_MAC_CTX, MacDeleter> context(EVP_MAC_CTX_new(hmac()));
  require(context != nullptr && EVP_MAC_init(context.get(), c_bytes(key.data()), key.size(), parameters) == 1 &&
          EVP_MAC_update(context.get(), c_bytes(front.data()), front.size()) == 1 &&
          EVP_MAC_update(context.get(), c_bytes(rest.data()), rest.size()) == 1 &&
          EVP_MAC_final(context.get(), c_bytes(value.data()), &written, value.size()) == 1 && written == value.size());
  return value;
}

std::uint32_t fingerprint_of(ConstBytes message) noexcept {
  const auto front = front_with_length(message, kAttributeHeaderBytes + kFingerprintBytes);
  std::uint32_t crc = crc_update(0xFFFFFFFFu, front);
  crc = crc_update(crc, message.subspan(front.size()));
  return ~crc ^ kFingerprintXor;
}

}  // namespace fireline::stun
