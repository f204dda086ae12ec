#include "core/wireguard/noise.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/crypto/blake2s.h"
#include "core/crypto/x25519.h"
#include "core/crypto/xaead.h"

namespace fireline::wireguard {
namespace {

constexpr std::string_view kConstruction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view kIdentifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";
constexpr std::string_view kMac1Label = "mac1----";
constexpr std::string_view kCookieLabel = "cookie--";

// Where the fields stand; messages.h has the figure.
constexpr std::size_t kSenderOffset = 4;
constexpr std::size_t kResponseReceiverOffset = 8;
constexpr std::size_t kInitiationEphemeralOffset = 8;
constexpr std::size_t kInitiationStaticOffset = 40;
constexpr std::size_t kInitiationTimestampOffset = 88;
constexpr std::size_t kResponseEphemeralOffset = 12;
constexpr std::size_t kResponseNothingOffset = 44;

ConstBytes text_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

crypto::Key labelled_key(std::string_view label, const crypto::PublicKey& key) noexcept {
  return crypto::Key(crypto::hash(text_bytes(label), key.bytes));
}

crypto::Key clamped(const crypto::Key& private_key) noexcept {
  crypto::Key result = private_key;
  const auto bytes = result.mutable_bytes();
  bytes[0] &= std::byte{248};
  bytes[31] &= std::byte{127};
  bytes[31] |= std::byte{64};
  return result;
}

crypto::PublicKey public_key_from(std::span<const std::byte, crypto::kKeyBytes> bytes) noexcept {
  crypto::PublicKey result;
  std::ranges::copy(bytes, result.bytes.begin());
  return result;
}

void mix_hash(HandshakeState& state, ConstBytes input) noexcept {
  state.hash = crypto::Key(crypto::hash(state.hash.bytes(), input));
}

void mix_chain(HandshakeState& state, ConstBytes input) noexcept {
  state.chaining_key = crypto::kdf1(state.chaining_key, input);
}

// As mix_chain, and returns the key for the AEAD that follows.
crypto::Key mix_chain_and_key(HandshakeState& state, const crypto::Key& input) noexcept {
  auto [chaining_key, key] = crypto::kdf2(state.chaining_key, input.bytes());
  state.chaining_key = chaining_key;
  return key;
}

// Mixes the preshared key in and returns the key for the AEAD that follows.
crypto::Key mix_preshared_key(HandshakeState& state, const crypto::Key& preshared_key) noexcept {
  auto [chaining_key, tau, key] = crypto::kdf3(state.chaining_key, preshared_key.bytes());
  state.chaining_key = chaining_key;
  mix_hash(state, tau.bytes());
  return key;
}

void mix_ephemeral(HandshakeState& state, const crypto::PublicKey& ephemeral) noexcept {
  mix_hash(state, ephemeral.bytes);
  mix_chain(state, ephemeral.bytes);
}

// C0 and H0, mixed with the responder's public key.
HandshakeState initial_state(const crypto::PublicKey& responder) noexcept {
  static const HandshakeState kConstants = [] {
    HandshakeState state;
    state.chaining_key = crypto::Key(crypto::hash(text_bytes(kConstruction)));
    state.hash = crypto::Key(crypto::hash(state.chaining_key.bytes(), text_bytes(kIdentifier)));
    return state;
  }();
  HandshakeState state = kConstants;
  mix_hash(state, responder.bytes);
  return state;
}

// Each handshake key seals one text, so the counter is always 0. The hash goes on with the sealed text.
void seal_and_mix(HandshakeState& state, const crypto::Key& key, ConstBytes plaintext, Bytes sealed) noexcept {
  crypto::aead_seal(key, 0, plaintext, state.hash.bytes(), sealed);
  mix_hash(state, sealed);
}

bool open_and_mix(HandshakeState& state, const crypto::Key& key, ConstBytes sealed, Bytes plaintext) noexcept {
  if (!crypto::aead_open(key, 0, sealed, state.hash.bytes(), plaintext)) return false;
  mix_hash(state, sealed);
  return true;
}

TransportKeys initiator_keys(const HandshakeState& state) noexcept {
  auto [first, second] = crypto::kdf2(state.chaining_key, {});
  return TransportKeys{.send = first, .receive = second};
}

}  // namespace

StaticIdentity::StaticIdentity(const crypto::Key& private_key) noexcept
    : private_key_(clamped(private_key)),
      public_key_(crypto::public_key(private_key_)),
      mac1_key_(labelled_key(kMac1Label, public_key_)),
      cookie_key_(labelled_key(kCookieLabel, public_key_)) {}

RemoteIdentity::RemoteIdentity(const StaticIdentity& own, const crypto::PublicKey& remote) noexcept
    : public_key_(remote),
      mac1_key_(labelled_key(kMac1Label, remote)),
      cookie_key_(labelled_key(kCookieLabel, remote)) {
  if (const auto shared = crypto::shared_secret(own.private_key(), remote)) static_static_ = *shared;
}

Result<InitiatorHandshake, NoiseError> create_initiation(const StaticIdentity& own, const RemoteIdentity& remote,
                                                         const Tai64n& timestamp, std::uint32_t sender_index,
                                                         crypto::Random& random, InitiationMessage& message) noexcept {
  if (remote.static_static().is_zero()) return err(NoiseError::invalid_key);
  InitiatorHandshake handshake{.state = initial_state(remote.public_key()),
                               .ephemeral_private = crypto::generate_private_key(random),
                               .sender_index = sender_index};
  HandshakeState& state = handshake.state;
  const Bytes bytes(message);
  std::ranges::fill(bytes, std::byte{0});
  store_le32(bytes, 0, static_cast<std::uint32_t>(MessageType::initiation));
  store_le32(bytes, kSenderOffset, sender_index);

  const crypto::PublicKey ephemeral = crypto::public_key(handshake.ephemeral_private);
  std::ranges::copy(ephemeral.bytes, bytes.subspan(kInitiationEphemeralOffset).begin());
  mix_ephemeral(state, ephemeral);

  const auto ephemeral_static = crypto::shared_secret(handshake.ephemeral_private, remote.public_key());
  if (!ephemeral_static) return err(NoiseError::invalid_key);
  const crypto::Key static_key = mix_chain_and_key(state, *ephemeral_static);
  seal_and_mix(state, static_key, own.public_key().bytes, bytes.subspan(kInitiationStaticOffset, 48));

  const crypto::Key timestamp_key = mix_chain_and_key(state, remote.static_static());
  seal_and_mix(state, timestamp_key, timestamp.bytes, bytes.subspan(kInitiationTimestampOffset, 28));
  return handshake;
}

Result<AnonymousInitiation, NoiseError> open_static(const StaticIdentity& own, const InitiationView& message) noexcept {
  AnonymousInitiation initiation{.state = initial_state(own.public_key()),
                                 .initiator_static = {},
                                 .initiator_ephemeral = public_key_from(message.ephemeral()),
                                 .sender_index = message.sender_index()};
  HandshakeState& state = initiation.state;
  mix_ephemeral(state, initiation.initiator_ephemeral);

  const auto static_ephemeral = crypto::shared_secret(own.private_key(), initiation.initiator_ephemeral);
  if (!static_ephemeral) return err(NoiseError::invalid_key);
  const crypto::Key key = mix_chain_and_key(state, *static_ephemeral);
  if (!open_and_mix(state, key, message.encrypted_static(), initiation.initiator_static.bytes)) {
    return err(NoiseError::not_authentic);
  }
  return initiation;
}

Result<AuthenticInitiation, NoiseError> open_timestamp(const AnonymousInitiation& initiation,
                                                       const RemoteIdentity& remote,
                                                       const InitiationView& message) noexcept {
  if (remote.static_static().is_zero()) return err(NoiseError::invalid_key);
  AuthenticInitiation result{.state = initiation.state,
                             .initiator_ephemeral = initiation.initiator_ephemeral,
                             .sender_index = initiation.sender_index,
                             .timestamp = {}};
  const crypto::Key key = mix_chain_and_key(result.state, remote.static_static());
  if (!open_and_mix(result.state, key, message.encrypted_timestamp(), result.timestamp.bytes)) {
    return err(NoiseError::not_authentic);
  }
  return result;
}

Result<TransportKeys, NoiseError> create_response(const AuthenticInitiation& initiation, const RemoteIdentity& remote,
                                                  const crypto::Key& preshared_key, std::uint32_t sender_index,
                                                  crypto::Random& random, ResponseMessage& message) noexcept {
  HandshakeState state = initiation.state;
  const Bytes bytes(message);
  std::ranges::fill(bytes, std::byte{0});
  store_le32(bytes, 0, static_cast<std::uint32_t>(MessageType::response));
  store_le32(bytes, kSenderOffset, sender_index);
  store_le32(bytes, kResponseReceiverOffset, initiation.sender_index);

  const crypto::Key ephemeral_private = crypto::generate_private_key(random);
  const crypto::PublicKey ephemeral = crypto::public_key(ephemeral_private);
  std::ranges::copy(ephemeral.bytes, bytes.subspan(kResponseEphemeralOffset).begin());
  mix_ephemeral(state, ephemeral);

  const auto ephemeral_ephemeral = crypto::shared_secret(ephemeral_private, initiation.initiator_ephemeral);
  if (!ephemeral_ephemeral) return err(NoiseError::invalid_key);
  mix_chain(state, ephemeral_ephemeral->bytes());
  const auto ephemeral_static = crypto::shared_secret(ephemeral_private, remote.public_key());
  if (!ephemeral_static) return err(NoiseError::invalid_key);
  mix_chain(state, ephemeral_static->bytes());

  const crypto::Key key = mix_preshared_key(state, preshared_key);
  seal_and_mix(state, key, {}, bytes.subspan(kResponseNothingOffset, 16));

  TransportKeys keys = initiator_keys(state);
  std::swap(keys.send, keys.receive);
  return keys;
}

Result<TransportKeys, NoiseError> consume_response(const StaticIdentity& own, const InitiatorHandshake& handshake,
                                                   const crypto::Key& preshared_key,
                                                   const ResponseView& message) noexcept {
  HandshakeState state = handshake.state;
  const crypto::PublicKey ephemeral = public_key_from(message.ephemeral());
  mix_ephemeral(state, ephemeral);

  const auto ephemeral_ephemeral = crypto::shared_secret(handshake.ephemeral_private, ephemeral);
  if (!ephemeral_ephemeral) return err(NoiseError::invalid_key);
  mix_chain(state, ephemeral_ephemeral->bytes());
  const auto static_ephemeral = crypto::shared_secret(own.private_key(), ephemeral);
  if (!static_ephemeral) return err(NoiseError::invalid_key);
  mix_chain(state, static_ephemeral->bytes());

  const crypto::Key key = mix_preshared_key(state, preshared_key);
  if (!open_and_mix(state, key, message.encrypted_nothing(), {})) return err(NoiseError::not_authentic);
  return initiator_keys(state);
}

}  // namespace fireline::wireguard
