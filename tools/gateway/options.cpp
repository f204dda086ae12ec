#include "tools/gateway/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <utility>

namespace fireline::gateway {
namespace {

struct Words {
  tunnel::ProgramWords program;
  std::string token;
  std::string health = "0.0.0.0:8080";
  bool no_check = false;
  bool no_inc_buf = false;
  bool validate_checksums = false;
  bool flow_logs = false;
};

// The tokens of Firezone and of fireline-portal are longer, words for commands shorter.
constexpr std::size_t kTokenBytesMin = 20;

struct Commands {
  CLI::App* set_up = nullptr;
  CLI::App* tear_down = nullptr;
  CLI::App* status = nullptr;
};

Commands add_commands(CLI::App& app, Words& words, Options& options) {
  app.require_subcommand(0, 1);
  Commands commands{
      .set_up = app.add_subcommand("setup-network", "Prepare this host: forwarding, masquerading. As root, idempotent"),
      .tear_down = app.add_subcommand("teardown-network", "Undo setup-network"),
      .status = tunnel::add_status_command(app, words.program, options.program, "Ask the gateway that runs here")};
  for (CLI::App* command : {commands.set_up, commands.tear_down}) {
    command->add_option("--tun-name", options.program.tun, "Network interface of the gateway (default tun-firezone)");
  }
  return commands;
}

void add_flags(CLI::App& app, Words& words, Options& options) {
  app.set_version_flag("-V,--version", "fireline-gateway " FIRELINE_VERSION);
  tunnel::add_program_flags(app, words.program, options.program, "FIREZONE_MAX_PARTITION_TIME");
  app.add_option("TOKEN", words.token,
                 "Token of this gateway, or the absolute path of a file of it; better $FIREZONE_TOKEN or the systemd "
                 "credential FIREZONE_TOKEN");
  app.add_flag("--no-check", words.no_check, "Start without looking for the rights that are needed");
  app.add_option("--health-check-addr", words.health, "Public endpoint of /healthz and /readyz (0.0.0.0:8080)")
      ->envname("HEALTH_CHECK_ADDR");
  app.add_flag("--no-inc-buf", words.no_inc_buf, "Do not raise net.core.rmem_max and wmem_max")
      ->envname("FIREZONE_NO_INC_BUF");
  app.add_flag("--validate-checksums", words.validate_checksums)->envname("FIREZONE_VALIDATE_CHECKSUMS")->group("");
  app.add_flag("--flow-logs", words.flow_logs)->envname("FIREZONE_FLOW_LOGS")->group("");
}

Options::Command command_of(const Commands& commands) {
  if (commands.set_up->parsed()) return Options::Command::set_up_network;
  if (commands.tear_down->parsed()) return Options::Command::tear_down_network;
  return commands.status->parsed() ? Options::Command::status : Options::Command::run;
}

// The first thing that is wrong, as a sentence.
std::optional<std::string> read_words(const Words& words, Options& options) {
  // A slip in a command would be the token, before the variable's. The word is not repeated: it may be a secret.
  if (!words.token.empty() && !words.token.starts_with('/') && words.token.size() < kTokenBytesMin) {
    return fmt::format(
        "unknown command: use one of setup-network, teardown-network, status; a TOKEN of fewer than {} characters is "
        "none",
        kTokenBytesMin);
  }
  options.token = crypto::SecretText(words.token);
  options.check_privileges = !words.no_check;
  options.raise_buffers = !words.no_inc_buf;
  if (options.program.status_socket.empty()) options.program.status_socket = kStatusSocket;
  if (words.validate_checksums) {
    return "--validate-checksums is not there: capture on the tunnel's interface with tcpdump -vv instead, and leave "
           "it out or set FIREZONE_VALIDATE_CHECKSUMS=false";
  }
  if (words.flow_logs) {
    return "--flow-logs is not there: this gateway keeps no record of flows; leave it out or set "
           "FIREZONE_FLOW_LOGS=false";
  }
  const auto health = Endpoint::parse(words.health);
  if (!health) {
    return fmt::format("--health-check-addr cannot be \"{}\": use ADDRESS:PORT, for example 0.0.0.0:8080",
                       words.health);
  }
  options.health = *health;
  return tunnel::read_program_words(words.program, options.command == Options::Command::run, options.program);
}

}  // namespace

Result<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
  Words words;
  Options options;
  options.program.max_partition_time = kMaxPartitionTime;
  CLI::App app("Gives clients of a Firezone or fireline portal access to the networks next to it.", "fireline-gateway");
  const auto commands = add_commands(app, words, options);
  add_flags(app, words, options);
  if (auto exit = parse_command_line(app, argc, argv, tunnel::kUsageExitCode)) return err(std::move(*exit));
  options.command = command_of(commands);
  if (auto wrong = read_words(words, options)) return err(EarlyExit{tunnel::kUsageExitCode, std::move(*wrong)});
  return options;
}

}  // namespace fireline::gateway
