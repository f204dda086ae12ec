#include "core/wireguard/cookie.h"

#include <algorithm>

#include "core/crypto/blake2s.h"
#include "core/crypto/secret.h"
#include "core/crypto/xaead.h"

namespace fireline::wireguard {
namespace {

#ifdef FIRELINE_PLANTED_BUG
// A comparison of too few bits on purpose: tools/fuzz shows that the fuzz target finds it.
constexpr std::uint32_t kIndexBits = 0x00ffffff;
#else
constexpr std::uint32_t kIndexBits = 0xffffffff;
#endif

}  // namespace

Cookie::Cookie(std::span<const std::byte, kCookieBytes> bytes) noexcept {
  std::ranges::copy(bytes, bytes_.begin());
}

Cookie::~Cookie() {
  crypto::wipe(bytes_);
}

CookieChecker::CookieChecker(const StaticIdentity& own, CookieRule rule, Instant now, crypto::Random& random) noexcept
    : mac1_key_(own.mac1_key()), cookie_key_(own.cookie_key()), rule_(rule), random_(random), start_(now) {
  renew_secret(now);
}

bool CookieChecker::mac1_valid(const MacFields& message) const noexcept {
  return crypto::equal_constant_time(crypto::mac16(mac1_key_.bytes(), message.mac1_input), message.mac1);
}

bool CookieChecker::mac2_valid(Instant now, const MacFields& message, const Endpoint& source) noexcept {
  const Cookie cookie = cookie_of(now, source);
  return crypto::equal_constant_time(crypto::mac16(cookie.bytes(), message.mac2_input), message.mac2);
}

CookieReplyMessage CookieChecker::create_reply(Instant now, const MacFields& message, const Endpoint& source) noexcept {
  CookieReplyMessage reply{};
  const Bytes bytes(reply);
  store_le32(bytes, 0, static_cast<std::uint32_t>(MessageType::cookie_reply));
  store_le32(bytes, 4, message.sender_index);
  crypto::XNonce nonce;
  random_.fill(nonce);
  std::ranges::copy(nonce, bytes.subspan(8).begin());
  const Cookie cookie = cookie_of(now, source);
  crypto::xaead_seal(cookie_key_, nonce, cookie.bytes(), message.mac1, bytes.subspan(32));
  return reply;
}

Cookie CookieChecker::cookie_of(Instant now, const Endpoint& source) noexcept {
  const ConstBytes address = source.address.bytes();
  if (rule_ == CookieRule::secret) {
    if (now - secret_since_ >= kCookieLifetime) renew_secret(now);
    std::array<std::byte, 2> port;
    store_be16(port, 0, source.port);
    return Cookie(crypto::mac16(secret_.bytes(), address, port));
  }
  std::array<std::byte, 8 + 16> place{};  // the period, then the address; the rest of an IPv4 address stays zero
  store_le64(place, 0, static_cast<std::uint64_t>((now - start_) / kCookiePeriod));
  std::ranges::copy(address, place.begin() + 8);
  return Cookie(crypto::mac16(secret_.bytes().first<kCookieBytes>(), place));
}

void CookieChecker::renew_secret(Instant now) noexcept {
  random_.fill(rule_ == CookieRule::secret ? secret_.mutable_bytes()
                                           : Bytes(secret_.mutable_bytes()).first(kCookieBytes));
  secret_since_ = now;
}

CookieGenerator::CookieGenerator(const RemoteIdentity& remote) noexcept
    : mac1_key_(remote.mac1_key()), cookie_key_(remote.cookie_key()) {}

void CookieGenerator::add_macs(Instant now, InitiationMessage& message) noexcept {
  add_macs(now, message, kInitiationBytes - 2 * kMacBytes);
}

void CookieGenerator::add_macs(Instant now, ResponseMessage& message) noexcept {
  add_macs(now, message, kResponseBytes - 2 * kMacBytes);
}

void CookieGenerator::add_macs(Instant now, Bytes message, std::size_t mac1_offset) noexcept {
  Sent sent{.sender_index = load_le32(message, 4),
            .mac1 = crypto::mac16(mac1_key_.bytes(), message.first(mac1_offset))};
  std::ranges::copy(sent.mac1, message.subspan(mac1_offset).begin());
  sent_ = sent;

  const std::size_t mac2_offset = mac1_offset + kMacBytes;
  std::array<std::byte, kMacBytes> mac2{};
  if (!has_cookie(now)) held_.reset();
  if (held_) mac2 = crypto::mac16(held_->cookie.bytes(), message.first(mac2_offset));
  std::ranges::copy(mac2, message.subspan(mac2_offset).begin());
}

Result<void, CookieError> CookieGenerator::consume_reply(Instant now, const CookieReplyView& reply) noexcept {
  if (!sent_) return err(CookieError::nothing_sent);
  if (((sent_->sender_index ^ reply.receiver_index()) & kIndexBits) != 0) return err(CookieError::wrong_index);
  crypto::XNonce nonce;
  std::ranges::copy(reply.nonce(), nonce.begin());
  Cookie cookie;
  if (!crypto::xaead_open(cookie_key_, nonce, reply.encrypted_cookie(), sent_->mac1, cookie.mutable_bytes())) {
    return err(CookieError::not_authentic);
  }
  held_ = Held{.cookie = cookie, .since = now};
  sent_.reset();
  return {};
}

bool CookieGenerator::has_cookie(Instant now) const noexcept {
  return held_ && now - held_->since < kCookieLifetime;
}

void CookieGenerator::clear() noexcept {
  sent_.reset();
  held_.reset();
}

}  // namespace fireline::wireguard
