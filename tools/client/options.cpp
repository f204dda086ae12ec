#include "tools/client/options.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <utility>

#include "tools/common/choice.h"

namespace fireline::client {
namespace {

struct Words {
  tunnel::ProgramWords program;
  std::string dns_control;
};

enum class DnsControl : std::uint8_t { systemd_resolved, etc_resolv_conf, disabled };
constexpr std::array kDnsControls{Choice{std::string_view("systemd-resolved"), DnsControl::systemd_resolved},
                                  Choice{std::string_view("etc-resolv-conf"), DnsControl::etc_resolv_conf},
                                  Choice{std::string_view("disabled"), DnsControl::disabled}};

void add_flags(CLI::App& app, Words& words, Options& options) {
  app.set_version_flag("-V,--version", "fireline-client " FIRELINE_VERSION);
  tunnel::add_program_flags(app, words.program, options.program, "MAX_PARTITION_TIME");
  app.add_option("--token-path", options.token_path,
                 "File of the token, root's alone, unless $FIREZONE_TOKEN holds it (/etc/dev.firezone.client/token)")
      ->envname("FIREZONE_TOKEN_PATH");
  app.add_flag("--activate-internet-resource", options.internet_enabled,
               "Route all other traffic through the Internet resource where it is granted")
      ->envname("FIREZONE_ACTIVATE_INTERNET_RESOURCE");
  app.add_option("-l,--log-dir", options.program.log.folder,
                 "Write the log to a file in this folder as well, linked as latest; the oldest of these files go above "
                 "100 MiB")
      ->envname("LOG_DIR");
  app.add_option("--dns-control", words.dns_control,
                 "What happens to this host's resolver: disabled (default), the only choice as long as DNS resources "
                 "are not served");
  app.add_flag("--check", options.check,
               "Look at rights, token, device id, log folder and --ca-file, and leave before the portal is contacted");
  app.add_flag("--exit", options.exit, "Leave once the tunnel is up");
  app.add_flag("--inc-buf", options.raise_buffers, "Raise net.core.rmem_max and wmem_max")->envname("FIREZONE_INC_BUF");
}

bool flag_of_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && std::string_view(value) == "true";
}

// Who asks for it by flag expects it. Firezone's container images set the variable: no mistake of the person's.
std::optional<std::string> read_dns_control(const std::string& word, Options& options) {
  constexpr const char* kVariable = "FIREZONE_DNS_CONTROL";
  const char* value = std::getenv(kVariable);
  const bool by_flag = !word.empty();
  auto dns = DnsControl::disabled;
  if (by_flag) {
    if (auto wrong = choose(kDnsControls, "--dns-control", word, dns)) return wrong;
  } else if (value != nullptr && *value != '\0') {
    if (auto wrong = choose(kDnsControls, kVariable, value, dns)) return wrong;
  }
  if (dns == DnsControl::disabled) return std::nullopt;
  if (by_flag) {
    return "--dns-control " + word +
           " is not there: DNS resources are not served, and this host's resolver stays as it is; leave it out or say "
           "disabled";
  }
  options.program.notes.push_back(
      std::string(kVariable) + "=" + value +
      " does nothing: DNS resources are not served, and this host's resolver stays as it is");
  return std::nullopt;
}

// The first thing that is wrong, as a sentence.
std::optional<std::string> read_words(const Words& words, Options& options) {
  options.ask_when_prohibited = flag_of_environment("FZFF_ICMP_ERROR_UNREACHABLE_PROHIBITED_CREATE_NEW_FLOW");
  if (options.program.status_socket.empty()) options.program.status_socket = kStatusSocket;
  if (auto wrong = read_dns_control(words.dns_control, options)) return wrong;
  options.program.log.program = kProgramName;
  return tunnel::read_program_words(words.program, options.command == Options::Command::run, options.program);
}

}  // namespace

Result<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
  Words words;
  Options options;
  CLI::App app("Connects this host to the resources of a Firezone or fireline portal.", "fireline-client");
  app.require_subcommand(0, 1);
  const CLI::App* const status =
      tunnel::add_status_command(app, words.program, options.program, "Ask the client that runs here");
  app.add_subcommand("standalone")->group("")->fallthrough();  // what it always is; Firezone's scripts say so
  add_flags(app, words, options);
  if (auto exit = parse_command_line(app, argc, argv, tunnel::kUsageExitCode)) return err(std::move(*exit));
  if (status->parsed()) options.command = Options::Command::status;
  if (auto wrong = read_words(words, options)) return err(EarlyExit{tunnel::kUsageExitCode, std::move(*wrong)});
  return options;
}

}  // namespace fireline::client
