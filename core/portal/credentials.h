// Key material that a portal derives for a flow and for relays. Programs take it as it comes; it must only stay the
// same while ids and keys do, since a reconnect must find tunnels and allocations as they were.
// Source: portal specification 5 and 6.9. Lifetime: values. Threads: any.
#pragma once
#include <string>
#include <string_view>

#include "core/base/uuid.h"
#include "core/crypto/keys.h"
#include "core/crypto/secret_text.h"
#include "core/portal/common_messages.h"

namespace fireline::portal {

// Both ends of a flow.
struct FlowEnds {
  Uuid client;
  crypto::PublicKey client_key;
  Uuid gateway;
  crypto::PublicKey gateway_key;
};

struct FlowIceCredentials {
  IceCredentialText client;   // 4 and 22 characters
  IceCredentialText gateway;  // 4 and 22 characters
};
[[nodiscard]] FlowIceCredentials flow_ice_credentials(const FlowEnds& ends);

// The bases are 32 random bytes of each device's record.
[[nodiscard]] crypto::Key flow_preshared_key(const FlowEnds& ends, const crypto::Key& client_base,
                                             const crypto::Key& gateway_base);

struct TurnCredentials {
  std::string username;         // "<expires_at>:<salt>"
  crypto::SecretText password;  // 43 characters
};
[[nodiscard]] TurnCredentials turn_credentials(const crypto::PublicKey& peer, Timestamp expires_at,
                                               std::string_view stamp_secret);

// A relay that restarts draws a new secret and is a new relay.
[[nodiscard]] Uuid relay_id(std::string_view stamp_secret) noexcept;

}  // namespace fireline::portal
