// What a relay and the portal tell each other: the relay's secret with the join, and an `init` without content.
// Source: portal specification 5. Threads: any.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/crypto/secret_text.h"

namespace fireline::portal {

// The join's payload. `stamp_secret`: 64 lower-case hex digits, drawn once per process.
[[nodiscard]] crypto::SecretText write_relay_join(std::string_view stamp_secret);
// Nothing: no object with a text `stamp_secret`, which is not empty and has at most kStampSecretBytesMax bytes.
[[nodiscard]] std::optional<crypto::SecretText> read_relay_join(std::string_view payload);
inline constexpr std::size_t kStampSecretBytesMax = 256;

// The only message to a relay: its event is `init` and its payload an object.
[[nodiscard]] bool is_relay_init(std::string_view event, std::string_view payload);

}  // namespace fireline::portal
