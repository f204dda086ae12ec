#include "core/stun/integrity.h"

#include <openssl/evp.h>

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

// RFC 2104 section 2, RFC 3174.
constexpr std::size_t kSha1BlockBytes = 64;
constexpr std::byte kInnerPad{0x36};
constexpr std::byte kOuterPad{0x5C};

struct DigestDeleter {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }  // wipes its state
};

// Looking an algorithm up by name costs more than hashing a message: once per process, never released.
const EVP_MD* sha1() noexcept {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
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

class Digest {
 public:
  Digest() noexcept : context_(EVP_MD_CTX_new()) { require(context_ != nullptr); }
  // `out` must be as long as the digest.
  template <class... Parts>
  void hash(const EVP_MD* algorithm, Bytes out, Parts... parts) noexcept {
    require(EVP_DigestInit_ex2(context_.get(), algorithm, nullptr) == 1);
    (require(EVP_DigestUpdate(context_.get(), c_bytes(parts.data()), parts.size()) == 1), ...);
    unsigned written = 0;
    require(EVP_DigestFinal_ex(context_.get(), c_bytes(out.data()), &written) == 1 && written == out.size());
  }

 private:
  std::unique_ptr<EVP_MD_CTX, DigestDeleter> context_;
};

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
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  Digest().hash(md5(), bytes_, bytes(username), bytes(":"), bytes(realm), bytes(":"), bytes(password));
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
  const auto front = front_with_length(message, kAttributeHeaderBytes + kIntegrityBytes);
  const ConstBytes rest = message.subspan(front.size());
  // RFC 2104, made of two digests: OpenSSL's HMAC looks its digest up by name in each message, which costs as much
  // again as the hashing.
  Digest digest;
  std::array<std::byte, kSha1BlockBytes> padded{};
  if (key.size() > padded.size()) {
    digest.hash(sha1(), Bytes(padded).first(kIntegrityBytes), key);
  } else {
    std::copy(key.begin(), key.end(), padded.begin());
  }
  const auto mask = [&padded](std::byte with) {
    for (std::byte& byte : padded) byte ^= with;
  };
  IntegrityValue value;
  mask(kInnerPad);
  digest.hash(sha1(), value, ConstBytes(padded), ConstBytes(front), rest);
  mask(kInnerPad ^ kOuterPad);
  digest.hash(sha1(), value, ConstBytes(padded), ConstBytes(value));
  crypto::wipe(padded);
  return value;
}

std::uint32_t fingerprint_of(ConstBytes message) noexcept {
  const auto front = front_with_length(message, kAttributeHeaderBytes + kFingerprintBytes);
  std::uint32_t crc = crc_update(0xFFFFFFFFu, front);
  crc = crc_update(crc, message.subspan(front.size()));
  return ~crc ^ kFingerprintXor;
}

}  // namespace fireline::stun
