// The password that goes with a TURN user name "<expiry>:<salt>": derived by the portal for the peer and by the relay
// again, which therefore keeps no list. Source: portal specification 5, relay specification 1.4. Threads: any.
#pragma once
#include <string_view>

#include "core/crypto/secret_text.h"

namespace fireline::crypto {

// 43 characters. `stamp_secret` is the hex text itself.
[[nodiscard]] SecretText turn_password(std::string_view expiry, std::string_view stamp_secret, std::string_view salt);

}  // namespace fireline::crypto
