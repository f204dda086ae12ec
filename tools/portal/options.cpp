#include "tools/portal/options.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <utility>

#include "io/file_descriptor.h"
#include "io/http.h"
#include "tools/common/choice.h"

namespace fireline::portal_tool {
namespace {

struct Words {
  std::vector<std::string> listen;
  LogWords log;
  std::string kind;
  std::string days;
  const CLI::Option* days_flag = nullptr;
  bool no_seccomp = false;
};

struct Commands {
  CLI::App* status = nullptr;
  CLI::App* check = nullptr;
  CLI::App* create = nullptr;
  CLI::App* list = nullptr;
  CLI::App* revoke = nullptr;
};

constexpr std::int64_t kTokenDaysMax = 36'500;  // a hundred years: more is a mistake

constexpr std::array<Choice<portal::TokenKind>, 3> kKinds{{{"client", portal::TokenKind::client},
                                                           {"gateway", portal::TokenKind::gateway},
                                                           {"relay", portal::TokenKind::relay}}};

void add_flags(CLI::App& app, Words& words, Options& options) {
  add_words(app, {{"--policy", options.policy, "Policy file: JSON with comments (/etc/fireline/policy.json)",
                   "FIRELINE_PORTAL_POLICY"},
                  {"--state", options.state, "Devices, addresses and tokens (/var/lib/fireline/portal.sqlite)",
                   "FIRELINE_PORTAL_STATE"}});
  app.add_option("--listen", words.listen, "ADDRESS:PORT; repeat it (127.0.0.1:8081; with a certificate [::]:8081)")
      ->delimiter(',')
      ->envname("FIRELINE_PORTAL_LISTEN");
  add_words(app, {{"--tls-cert", options.tls_cert, "PEM certificate chain; read at start and on SIGHUP",
                   "FIRELINE_PORTAL_TLS_CERT"},
                  {"--tls-key", options.tls_key, "PEM key of the certificate", "FIRELINE_PORTAL_TLS_KEY"}});
  app.add_flag("--insecure-plaintext", options.insecure_plaintext,
               "Listen beyond loopback without TLS: tokens and keys cross the network readable")
      ->envname("FIRELINE_PORTAL_INSECURE_PLAINTEXT");
  app.add_option("--status-socket", options.status_socket, "Unix socket of status (/run/fireline-portal/status.sock)")
      ->envname("FIRELINE_PORTAL_STATUS_SOCKET");
  add_log_flags(app, words.log, {.level = "FIRELINE_PORTAL_LOG_LEVEL", .format = "FIRELINE_PORTAL_LOG_FORMAT"});
  app.add_option("--log-file", options.log.file, "Append the log to this file instead of standard output")
      ->envname("FIRELINE_PORTAL_LOG_FILE");
  app.add_flag("--no-seccomp", words.no_seccomp, "Do without the filter of system calls: for debugging tools alone")
      ->envname("FIRELINE_PORTAL_NO_SECCOMP");
}

Commands add_commands(CLI::App& app, Words& words, Options& options) {
  app.require_subcommand(0, 1);
  Commands commands;
  commands.status = app.add_subcommand("status", "Ask the portal that runs here who is online")->fallthrough();
  CLI::Option* const json = commands.status->add_flag("--json", options.json, "As JSON");
  commands.status->add_flag("--metrics", options.metrics, "As Prometheus text")->excludes(json);
  commands.check = app.add_subcommand("check", "Read a policy file and say what is wrong with it");
  commands.check->add_option("FILE", options.policy, "The file")->required();
  CLI::App* const token = app.add_subcommand("token", "Make, list and revoke tokens")->fallthrough();
  token->require_subcommand(1);
  commands.create =
      token->add_subcommand("create", "Make a token and print it, once: it is stored nowhere")->fallthrough();
  commands.create->add_option("KIND", words.kind, "client, gateway or relay")->required();
  commands.create->add_option("OWNER", options.owner, "Name of the actor (client) or the site (gateway)");
  words.days_flag = commands.create->add_option(
      "--days", words.days, "Days for which it is valid, 1 to 36500 (7 for a user's, else for ever)");
  commands.create->add_flag("--env", options.as_environment, "Print the lines of an environment file");
  commands.create->footer(
      "client OWNER is an actor, gateway OWNER a site of the policy file; a relay has none:\n"
      "  fireline-portal token create client alice\n"
      "  (umask 077; fireline-portal token create gateway office > /etc/fireline/gateway-token)   # where its unit "
      "looks\n"
      "  fireline-portal token create relay");
  commands.list = token->add_subcommand("list", "All tokens, without their text")->fallthrough();
  commands.revoke = token->add_subcommand("revoke", "End a token and its connections")->fallthrough();
  commands.revoke->add_option("ID", options.token_id, "As token list shows it")->required();
  return commands;
}

Command command_of(const Commands& commands) {
  if (commands.status->parsed()) return Command::status;
  if (commands.check->parsed()) return Command::check;
  if (commands.create->parsed()) return Command::token_create;
  if (commands.list->parsed()) return Command::token_list;
  return commands.revoke->parsed() ? Command::token_revoke : Command::run;
}

// Not with ipv6.disable=1 on the kernel's command line.
bool has_ipv6() {
  return io::FileDescriptor(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) || errno != EAFNOSUPPORT;
}

// TLS beyond this host, or somebody says that it is wanted otherwise.
std::optional<std::string> read_listen(const Words& words, Options& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) return "--tls-cert and --tls-key need each other";
  const bool tls = !options.tls_cert.empty();
  for (const std::string& word : words.listen) {
    const auto endpoint = Endpoint::parse(word);
    if (!endpoint) {
      return fmt::format("--listen cannot be \"{}\": use ADDRESS:PORT, for example 127.0.0.1:{}", word, kDefaultPort);
    }
    if (!tls && !options.insecure_plaintext && !io::is_loopback(endpoint->address)) {
      return fmt::format(
          "--listen {} would show tokens and keys to the network: give --tls-cert and --tls-key, use a loopback "
          "address, or say --insecure-plaintext",
          word);
    }
    options.listen.push_back(*endpoint);
  }
  if (!options.listen.empty()) return std::nullopt;
  if (tls && has_ipv6()) options.listen.push_back({.address = IpAddress::parse("::").value(), .port = kDefaultPort});
  options.listen.push_back({.address = IpAddress::parse(tls ? "0.0.0.0" : "127.0.0.1").value(), .port = kDefaultPort});
  return std::nullopt;
}

std::optional<std::string> read_words(const Words& words, Options& options) {
  if (auto wrong = read_log_words(words.log, options.log)) return wrong;
  options.seccomp = !words.no_seccomp;
  if (words.days_flag->count() != 0) {
    auto& days = options.valid_days.emplace();
    if (auto wrong = read_number<std::int64_t>("--days", words.days, 1, kTokenDaysMax, days)) return wrong;
  }
  if (options.command == Command::token_create) {
    if (auto wrong = choose(kKinds, "KIND", words.kind, options.token_kind)) return wrong;
    if (options.owner.empty() == (options.token_kind != portal::TokenKind::relay)) {
      return options.owner.empty() ? "say whose token it is: the name of an actor (client) or of a site (gateway)"
                                   : "a relay's token belongs to nobody: leave the name out";
    }
  }
  return options.command == Command::run ? read_listen(words, options) : std::nullopt;
}

}  // namespace

Result<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
  Words words;
  Options options;
  CLI::App app("A control plane from one policy file.", "fireline-portal");
  app.set_version_flag("--version", "fireline-portal " FIRELINE_VERSION);
  app.footer(
      "A first portal on this host:\n"
      "  fireline-portal check policy.json\n"
      "  fireline-portal --policy policy.json\n"
      "  fireline-portal --policy policy.json token create client alice\n"
      "  fireline-portal status");
  add_flags(app, words, options);
  const Commands commands = add_commands(app, words, options);
  if (auto exit = parse_command_line(app, argc, argv)) return err(std::move(*exit));
  options.command = command_of(commands);
  if (auto wrong = read_words(words, options)) return err(EarlyExit{1, std::move(*wrong)});
  return options;
}

}  // namespace fireline::portal_tool
