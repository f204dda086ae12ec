// Two nodes that know each other, and what they need to shake hands in tests: fixed keys, randomness from a seed.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "core/crypto/keys.h"
#include "core/wireguard/cookie.h"
#include "core/wireguard/messages.h"
#include "core/wireguard/noise.h"
#include "tests/unit/core/crypto/seeded_random.h"

namespace fireline::wireguard {

using crypto::seeded_key;
using crypto::SeededRandom;

inline Tai64n stamp(std::uint64_t value) {
  Tai64n result;
  store_be64(result.bytes, 0, value);
  return result;
}

struct HandshakePair {
  StaticIdentity initiator{seeded_key(1)};
  StaticIdentity responder{seeded_key(2)};
  RemoteIdentity to_responder{initiator, responder.public_key()};
  RemoteIdentity to_initiator{responder, initiator.public_key()};
  crypto::Key preshared_key = seeded_key(3);
  SeededRandom random{4};

  // Whole message of the initiator, mac1 included.
  InitiatorHandshake initiate(InitiationMessage& message, std::uint32_t sender_index = 1, Tai64n timestamp = stamp(1)) {
    CookieGenerator macs(to_responder);
    auto handshake = create_initiation(initiator, to_responder, timestamp, sender_index, random, message).value();
    macs.add_macs(Instant{}, message);
    return handshake;
  }

  // Both steps of the responder.
  Result<AuthenticInitiation, NoiseError> open(const InitiationMessage& message) const {
    const auto view = InitiationView::parse(message).value();
    const auto anonymous = open_static(responder, view);
    if (!anonymous) return err(anonymous.error());
    return open_timestamp(*anonymous, to_initiator, view);
  }

  TransportKeys respond(const AuthenticInitiation& initiation, ResponseMessage& message,
                        std::uint32_t sender_index = 2) {
    CookieGenerator macs(to_initiator);
    auto keys = create_response(initiation, to_initiator, preshared_key, sender_index, random, message).value();
    macs.add_macs(Instant{}, message);
    return keys;
  }

  Result<TransportKeys, NoiseError> finish(const InitiatorHandshake& handshake, const ResponseMessage& message) const {
    return consume_response(initiator, handshake, preshared_key, ResponseView::parse(message).value());
  }
};

}  // namespace fireline::wireguard
