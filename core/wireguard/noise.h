// The handshake Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as WireGuard uses it: pure computations over explicit state.
// Source: WireGuard paper sections 5.4.1 to 5.4.5. No I/O, no clock; randomness is an argument.
//
//   initiator                                     responder
//   create_initiation  --- initiation --->        (mac1, rate limit, cookie: cookie.h)
//                                                 open_static     -> who? look the peer up
//                                                 open_timestamp  -> when? refuse what is not later than the last
//   consume_response   <--- response ----         create_response -> TransportKeys
//
// mac1 and mac2 are not written or checked here: see cookie.h.
// Lifetime: all results are values of their own. Every secret in them is erased when it is dropped.
// Threads: no shared state; may run on any thread. No allocation.
// Cost: an X25519 each for StaticIdentity, RemoteIdentity, open_static; two for create_initiation (with the key pair);
// three for create_response (with the key pair); two for consume_response; none for open_timestamp.
#pragma once
#include <cstdint>

#include "core/base/result.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"
#include "core/wireguard/messages.h"
#include "core/wireguard/tai64n.h"

namespace fireline::wireguard {

enum class NoiseError : std::uint8_t {
  invalid_key,    // a Diffie-Hellman result is zero: the other side's public key is a point of low order
  not_authentic,  // an AEAD did not open: forged, damaged, for another key, or another preshared key
};

// What follows from our private key. Made again when the key changes.
class StaticIdentity {
 public:
  // Clamps the key (RFC 7748 section 5), as the kernel does when one is set.
  explicit StaticIdentity(const crypto::Key& private_key) noexcept;

  [[nodiscard]] const crypto::Key& private_key() const noexcept { return private_key_; }
  [[nodiscard]] const crypto::PublicKey& public_key() const noexcept { return public_key_; }
  // HASH("mac1----" || public key): keys mac1 of all messages to us.
  [[nodiscard]] const crypto::Key& mac1_key() const noexcept { return mac1_key_; }
  // HASH("cookie--" || public key): keys the cookie replies from us.
  [[nodiscard]] const crypto::Key& cookie_key() const noexcept { return cookie_key_; }

 private:
  crypto::Key private_key_;
  crypto::PublicKey public_key_;
  crypto::Key mac1_key_;
  crypto::Key cookie_key_;
};

// What follows from a peer's public key and our private key. Made again when either changes.
class RemoteIdentity {
 public:
  RemoteIdentity(const StaticIdentity& own, const crypto::PublicKey& remote) noexcept;

  [[nodiscard]] const crypto::PublicKey& public_key() const noexcept { return public_key_; }
  // DH of both static keys; zero for a point of low order, with which every handshake fails with invalid_key.
  [[nodiscard]] const crypto::Key& static_static() const noexcept { return static_static_; }
  [[nodiscard]] const crypto::Key& mac1_key() const noexcept { return mac1_key_; }      // for messages to the peer
  [[nodiscard]] const crypto::Key& cookie_key() const noexcept { return cookie_key_; }  // for cookie replies from it

 private:
  crypto::PublicKey public_key_;
  crypto::Key static_static_;
  crypto::Key mac1_key_;
  crypto::Key cookie_key_;
};

// Chaining key C and hash H of the paper.
struct HandshakeState {
  crypto::Key chaining_key;
  crypto::Key hash;
};

// What the initiator keeps until the response comes. Each initiation, resent ones too, has one of its own.
struct InitiatorHandshake {
  HandshakeState state;
  crypto::Key ephemeral_private;
  std::uint32_t sender_index = 0;  // ours; a response to it carries this as receiver index
};

// An initiation of which only the ephemeral and the claimed static key are known: not yet authentic.
struct AnonymousInitiation {
  HandshakeState state;
  crypto::PublicKey initiator_static;
  crypto::PublicKey initiator_ephemeral;
  std::uint32_t sender_index = 0;  // the initiator's
};

// An initiation that came from the holder of the peer's private key, possibly a replay: compare the timestamp.
struct AuthenticInitiation {
  HandshakeState state;
  crypto::PublicKey initiator_ephemeral;
  std::uint32_t sender_index = 0;  // the initiator's
  Tai64n timestamp;
};

struct TransportKeys {
  crypto::Key send;
  crypto::Key receive;
};

// Writes all of `message` but mac1 and mac2, which are zero. A retry calls it again: a new ephemeral each time.
// Error: invalid_key; `message` is then unspecified.
[[nodiscard]] Result<InitiatorHandshake, NoiseError> create_initiation(
    const StaticIdentity& own, const RemoteIdentity& remote, const Tai64n& timestamp, std::uint32_t sender_index,
    crypto::Random& random, InitiationMessage& message) noexcept;

// Step one of a received initiation whose mac1 is valid: decrypts the initiator's static key with ours alone.
// The caller looks the peer up by `initiator_static`. Errors: invalid_key, not_authentic.
[[nodiscard]] Result<AnonymousInitiation, NoiseError> open_static(const StaticIdentity& own,
                                                                  const InitiationView& message) noexcept;

// Step two: decrypts the timestamp of the same message. `remote` is the identity of `initiation.initiator_static`; with
// another one it fails with not_authentic. The caller must refuse a timestamp that is not later than the greatest
// accepted from this peer. Errors: invalid_key, not_authentic.
[[nodiscard]] Result<AuthenticInitiation, NoiseError> open_timestamp(const AnonymousInitiation& initiation,
                                                                     const RemoteIdentity& remote,
                                                                     const InitiationView& message) noexcept;

// Writes all of `message` but mac1 and mac2, which are zero; `sender_index` is ours. `preshared_key` is all zeros for
// none. Error: invalid_key; `message` is then unspecified.
[[nodiscard]] Result<TransportKeys, NoiseError> create_response(const AuthenticInitiation& initiation,
                                                                const RemoteIdentity& remote,
                                                                const crypto::Key& preshared_key,
                                                                std::uint32_t sender_index, crypto::Random& random,
                                                                ResponseMessage& message) noexcept;

// `handshake` is the one whose sender index is the message's receiver index; it stays usable after an error, so that a
// forged response cannot end a handshake. Errors: invalid_key, not_authentic.
[[nodiscard]] Result<TransportKeys, NoiseError> consume_response(const StaticIdentity& own,
                                                                 const InitiatorHandshake& handshake,
                                                                 const crypto::Key& preshared_key,
                                                                 const ResponseView& message) noexcept;

}  // namespace fireline::wireguard
