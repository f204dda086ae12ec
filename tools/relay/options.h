// The command line of fireline-relay. Flags and environment variables are those of a Firezone relay, so that its
// environment starts this one; ours have FIRELINE_RELAY_… beside them. The flag wins over the variable.
// Threads: parse before any is started (it reads the environment). Errors: one sentence. The portal's token is read
// here, by portal_options.h; other secrets by credentials_file.h.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "relay/protocol/limits.h"
#include "tools/command_line/command_line.h"
#include "tools/common/log_filter.h"
#include "tools/relay/portal_options.h"

namespace fireline::relay {

enum class AuthKind : std::uint8_t { firezone, fixed };
enum class RelayLogFormat : std::uint8_t { text, json };
enum class AttachMode : std::uint8_t { driver, generic };

struct OffloadOptions {
  std::string interface;
  AttachMode mode = AttachMode::driver;
  std::optional<IpAddress> interface4;
  std::optional<IpAddress> interface6;
  bool debug = false;  // an event for each frame
};

struct RelayOptions {
  std::optional<IpAddress> public_ip4;
  std::optional<IpAddress> public_ip6;
  std::optional<IpAddress> bind_ip4;
  std::optional<IpAddress> bind_ip6;
  std::uint16_t listen_port = 3478;
  std::uint16_t lowest_port = 49152;
  std::uint16_t highest_port = 65535;
  AuthKind auth = AuthKind::firezone;
  std::string users_file;
  std::string realm = "fireline";  // of --auth static
  std::string secret_file;
  std::optional<PortalOptions> portal;  // empty: it runs on its own
  std::vector<Prefix> allow_peers;
  std::vector<Prefix> deny_peers;
  std::string peer_rules_file;
  Limits limits;
  std::optional<std::uint64_t> rng_seed;
  RelayLogFormat log_format = RelayLogFormat::text;
  LogFilter log_filter;
  std::string log_file;  // empty: standard output
  std::optional<LogFilter> log_file_filter;
  Endpoint health;
  Endpoint control;
  std::optional<OffloadOptions> offload;
  bool gso = true;
  bool gro = true;
  bool seccomp = true;
  std::vector<std::string> notes;  // accepted and without effect; said once the log is open
};

[[nodiscard]] Result<RelayOptions, EarlyExit> parse_relay_options(int argc, const char* const* argv);

}  // namespace fireline::relay
