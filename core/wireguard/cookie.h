// mac1, mac2 and cookies: how a loaded responder makes an initiator prove that it receives at its source address.
// Source: WireGuard paper sections 5.3, 5.4.4 and 5.4.7; connectivity of Firezone for CookieRule::period.
// When to ask for a cookie is the question of rate_limiter.h.
//
// Lifetime: both classes copy the keys they need; `random` must outlive the checker. Secrets are erased when dropped.
// Threads: an object belongs to one thread. No allocation, no clock.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"
#include "core/wireguard/messages.h"
#include "core/wireguard/noise.h"
#include "core/wireguard/profile.h"

namespace fireline::wireguard {

// How long a cookie, and the secret from which a responder makes cookies, may be used.
inline constexpr Duration kCookieLifetime = std::chrono::seconds(120);
inline constexpr Duration kCookiePeriod = std::chrono::seconds(128);  // of CookieRule::period

// 16 bytes that are erased when dropped.
class Cookie {
 public:
  Cookie() noexcept = default;
  explicit Cookie(std::span<const std::byte, kCookieBytes> bytes) noexcept;
  Cookie(const Cookie&) noexcept = default;
  Cookie& operator=(const Cookie&) noexcept = default;
  ~Cookie();

  [[nodiscard]] std::span<const std::byte, kCookieBytes> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte, kCookieBytes> mutable_bytes() noexcept { return bytes_; }

 private:
  std::array<std::byte, kCookieBytes> bytes_{};
};

// The responder's side; one for a node's private key. A responder is whoever receives an initiation or a response.
class CookieChecker {
 public:
  // `now` starts the first period.
  CookieChecker(const StaticIdentity& own, CookieRule rule, Instant now, crypto::Random& random) noexcept;

  // Checked before anything else of an initiation or response; a message that fails gets no answer of any kind.
  [[nodiscard]] bool mac1_valid(const MacFields& message) const noexcept;

  // Whether the sender holds the cookie of `source` that is valid at this time.
  [[nodiscard]] bool mac2_valid(Instant now, const MacFields& message, const Endpoint& source) noexcept;

  // The answer to a message with valid mac1 and without valid mac2 under load. `source` is where the message came from
  // and where the reply goes; for a relayed one the peer's address behind the relay.
  [[nodiscard]] CookieReplyMessage create_reply(Instant now, const MacFields& message, const Endpoint& source) noexcept;

 private:
  [[nodiscard]] Cookie cookie_of(Instant now, const Endpoint& source) noexcept;
  void renew_secret(Instant now) noexcept;

  crypto::Key mac1_key_;
  crypto::Key cookie_key_;
  CookieRule rule_;
  crypto::Random& random_;
  Instant start_;
  crypto::Key secret_;  // CookieRule::period uses the first 16 bytes
  Instant secret_since_;
};

enum class CookieError : std::uint8_t {
  nothing_sent,   // no message was sent that this could answer, or its cookie has come already
  wrong_index,    // the receiver index is not the sender index of the last message sent
  not_authentic,  // forged, damaged, or the answer to another message
};

// The initiator's side; one per peer. An initiator is whoever sends an initiation or a response.
class CookieGenerator {
 public:
  explicit CookieGenerator(const RemoteIdentity& remote) noexcept;

  // Writes mac1, and mac2 (zeros without a fresh cookie), into a complete initiation or response, and remembers it as
  // the last message sent.
  void add_macs(Instant now, InitiationMessage& message) noexcept;
  void add_macs(Instant now, ResponseMessage& message) noexcept;

  // Keeps the cookie for the messages of the next 120 s. Does not send again: the next retry carries it.
  // A reply is taken once; a copy of it fails with nothing_sent.
  [[nodiscard]] Result<void, CookieError> consume_reply(Instant now, const CookieReplyView& reply) noexcept;

  // Whether messages carry mac2 at this time.
  [[nodiscard]] bool has_cookie(Instant now) const noexcept;
  // Forgets cookie and last message, as when the peer's sessions are erased.
  void clear() noexcept;

 private:
  struct Sent {
    std::uint32_t sender_index = 0;
    std::array<std::byte, kMacBytes> mac1{};
  };
  struct Held {
    Cookie cookie;
    Instant since;
  };
  void add_macs(Instant now, Bytes message, std::size_t mac1_offset) noexcept;

  crypto::Key mac1_key_;
  crypto::Key cookie_key_;
  std::optional<Sent> sent_;
  std::optional<Held> held_;
};

}  // namespace fireline::wireguard
