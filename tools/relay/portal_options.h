// What fireline-relay is told about its portal: URL, token, name. Without URL and token it has none and runs on its
// own. Flags and variables are those of a Firezone relay (relay specification 2.6, portal specification 8); beside them
// stand files of the token, and how long the relay goes on without its portal.
// Threads: start-up, before any is started: the environment is read, and the token taken out of it. Errors: one
// sentence without the token.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/crypto/secret_text.h"
#include "core/portal/login_url.h"

namespace CLI {
class App;
}

namespace fireline::relay {

// Relayed connections outlive an outage of the portal that long (relay specification, section 3).
inline constexpr Duration kPortalPatience = std::chrono::hours(24);

struct PortalOptions {
  portal::PortalUrl url;
  crypto::SecretText token;
  std::string name;     // empty: none is sent
  std::string ca_file;  // empty: the system's certificates alone
  Duration patience = kPortalPatience;
};

// As the person wrote it.
struct PortalWords {
  std::string url, token, token_file, name, ca_file, patience;
  crypto::SecretText environment_token;
};

// Takes FIREZONE_TOKEN out of the environment.
void add_portal_flags(CLI::App& app, PortalWords& words);

// Empty: no portal is asked for. The token is the argument's, the environment's, the file's, or systemd's credential
// FIREZONE_TOKEN: the first of them. An argument or a variable that is the absolute path of a file stands for its text,
// as the entry scripts of Firezone's containers have it.
[[nodiscard]] Result<std::optional<PortalOptions>, std::string> read_portal_words(const PortalWords& words);

}  // namespace fireline::relay
