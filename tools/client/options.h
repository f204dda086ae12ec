// The command line of fireline-client. Source: platform specification 6.2; fireline's own are described in
// docs/client.md. There is no flag for the token: command lines are visible to everybody.
// Threads: parse before any is started (CLI11 reads the environment).
#pragma once
#include <cstdint>
#include <string>

#include "core/base/result.h"
#include "tools/command_line/command_line.h"
#include "tools/tunnel/program_options.h"

namespace fireline::client {

inline constexpr const char* kProgramName = "fireline-client";
inline constexpr const char* kStatusSocket = "/run/dev.firezone.client/status.sock";

struct Options {
  enum class Command : std::uint8_t { run, status };
  Command command = Command::run;
  tunnel::ProgramOptions program;
  std::string token_path;  // empty: the default one
  bool check = false;      // validate the set-up and leave
  bool exit = false;       // leave once the tunnel is up
  bool internet_enabled = false;
  bool ask_when_prohibited = false;
  bool raise_buffers = false;
};

[[nodiscard]] Result<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace fireline::client
