// The command line of fireline-portal. Every flag has an environment variable FIRELINE_PORTAL_…; the flag wins.
// Threads: parse before any is started (it reads the environment).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/portal/store.h"
#include "tools/command_line/command_line.h"
#include "tools/common/log_flags.h"

namespace fireline::portal_tool {

// Not 80: Firezone's programs take ws:// without a port, or with that one, as port 443.
inline constexpr std::uint16_t kDefaultPort = 8081;

enum class Command : std::uint8_t { run, status, check, token_create, token_list, token_revoke };

struct Options {
  Command command = Command::run;
  std::string policy = "/etc/fireline/policy.json";
  std::string state = "/var/lib/fireline/portal.sqlite";
  std::string status_socket = "/run/fireline-portal/status.sock";
  std::vector<Endpoint> listen;
  std::string tls_cert;
  std::string tls_key;
  bool insecure_plaintext = false;
  bool seccomp = true;
  LogOptions log{.name = "portal"};
  bool json = false;     // of status
  bool metrics = false;  // of status
  // token create
  portal::TokenKind token_kind = portal::TokenKind::client;
  std::string owner;                       // name of an actor or a site
  std::optional<std::int64_t> valid_days;  // empty: seven for a user's, else for ever
  bool as_environment = false;             // print the lines of an environment file
  std::string token_id;                    // token revoke
};

[[nodiscard]] Result<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace fireline::portal_tool
