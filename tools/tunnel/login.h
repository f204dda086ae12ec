// Who a program is for the portal: token, device id, name, and what it tells about its host. Start-up.
// Threads: before any other is started.
#pragma once
#include <string>

#include "core/base/result.h"
#include "core/crypto/secret_text.h"
#include "core/portal/login_url.h"
#include "tools/common/portal_session.h"
#include "tools/tunnel/program_options.h"

namespace fireline::tunnel {

// For clients and gateways. The error is one sentence. Warnings go to the log.
[[nodiscard]] Result<PortalSessionOptions, std::string> make_login(portal::Role role, const ProgramOptions& options,
                                                                   const crypto::SecretText& token,
                                                                   const crypto::PublicKey& key);

}  // namespace fireline::tunnel
