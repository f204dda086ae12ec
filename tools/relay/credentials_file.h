// Reads the secrets that fireline-relay is started with. Start-up only; errors are one sentence without the secret.
#pragma once
#include <string>

#include "core/base/result.h"
#include "core/crypto/random.h"
#include "relay/protocol/credentials.h"
#include "tools/relay/options.h"

namespace fireline::relay {

inline constexpr std::size_t kSecretBytesMin = 16;  // 128 bits would be 32 hex digits; what people make up is shorter
inline constexpr std::size_t kSecretBytesMax = 1024;
inline constexpr std::size_t kUsersFileBytesMax = std::size_t{16} << 20;  // 65,536 users with 250 bytes each

// Of --auth firezone: --secret-file, which nobody else may read, or drawn from `random`. Of --auth static: --users.
[[nodiscard]] Result<Credentials, std::string> read_credentials(const RelayOptions& options, crypto::Random& random);

}  // namespace fireline::relay
