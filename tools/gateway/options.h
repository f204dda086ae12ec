// The command line of fireline-gateway. Source: platform specification 6.1; fireline's own are described in
// docs/gateway.md. Threads: parse before any is started (CLI11 reads the environment).
#pragma once
#include <cstdint>
#include <string>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/crypto/secret_text.h"
#include "tools/command_line/command_line.h"
#include "tools/tunnel/program_options.h"

namespace fireline::gateway {

// Tunnels need no portal: an outage of hours must not end them (platform specification 6.1, lesson 53).
inline constexpr Duration kMaxPartitionTime = std::chrono::hours(24);
inline constexpr const char* kStatusSocket = "/run/fireline-gateway/status.sock";

struct Options {
  enum class Command : std::uint8_t { run, set_up_network, tear_down_network, status };
  Command command = Command::run;
  tunnel::ProgramOptions program;
  crypto::SecretText token;  // as given on the command line; empty: elsewhere
  Endpoint health;           // of the health check
  bool check_privileges = true;
  bool raise_buffers = true;
};

[[nodiscard]] Result<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace fireline::gateway
