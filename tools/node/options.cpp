#include "tools/node/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <utility>

#include "io/tun_open.h"
#include "tools/common/choice.h"
#include "tools/common/io_choices.h"

namespace fireline::lab {
namespace {

constexpr std::uint16_t kMtuMin = 1280;  // RFC 8200: the tunnel carries IPv6

struct Words {
  std::string role;
  std::string threads = "auto";
  std::string udp_io = "auto";
  std::string log_level = "info";
  std::string log_format = "text";
};

constexpr std::array kRoles{Choice{std::string_view("client"), node::NodeRole::client},
                            Choice{std::string_view("gateway"), node::NodeRole::gateway}};
constexpr std::array kLogLevels{
    Choice{std::string_view("debug"), LogLevel::debug}, Choice{std::string_view("info"), LogLevel::info},
    Choice{std::string_view("error"), LogLevel::error}, Choice{std::string_view("silent"), LogLevel::silent}};
constexpr std::array kLogFormats{Choice{std::string_view("text"), LogFormat::text},
                                 Choice{std::string_view("json"), LogFormat::json}};

void add_flags(CLI::App& app, Words& words, Options& options) {
  app.set_version_flag("--version", "fireline-lab-node " FIRELINE_VERSION);
  const auto add = [&app](const char* flag, auto& target, const char* text) {
    std::string variable = "FIRELINE_LAB_NODE_";
    for (const char* c = flag + 2; *c != '\0'; ++c) variable += *c == '-' ? '_' : static_cast<char>(std::toupper(*c));
    app.add_option(flag, target, text)->envname(variable);
  };
  add("--role", words.role, "client or gateway");
  add("--rendezvous", options.rendezvous, "File of keys, credentials and relays; the ends meet in the folder FILE.d");
  add("--state", options.state, "Folder of the status socket TUN.sock");
  add("--tun", options.tun, "Network interface to create");
  add("--port", options.port, "UDP port, another one when it is taken (default 52625)");
  add("--mtu", options.mtu, "MTU of the interface (default 1280)");
  add("--fwmark", options.fwmark, "Mark of our own datagrams (default 0: none)");
  add("--threads", words.threads, kThreadsHelp);
  add("--udp-io", words.udp_io, kUdpIoHelp);
  add("--log-level", words.log_level, "debug, info (default), error or silent");
  add("--log-format", words.log_format, "text (default) or json, one object per line");
  app.add_flag("--on-demand", options.on_demand, "A client connects when it is told to: --ask connect")
      ->envname("FIRELINE_LAB_NODE_ON_DEMAND");
  add("--ask", options.question, "Ask the node that runs with this --state and --tun: status, connect or close");
}

// The first thing that is wrong, as a sentence.
std::optional<std::string> read_words(const Words& words, Options& options) {
  if (options.state.empty()) return "--state is missing: name a folder for the status socket";
  if (options.tun.empty()) return "--tun is missing: name the network interface";
  if (const auto wrong = io::check_interface_name(options.tun); !wrong.empty()) {
    return fmt::format("\"{}\" cannot be the name of an interface: {}", options.tun, wrong);
  }
  if (!options.question.empty()) {
    options.command = Options::Command::ask;
    return std::nullopt;
  }
  if (words.role.empty()) return "--role is missing: use client or gateway";
  if (auto wrong = choose(kRoles, "--role", words.role, options.role)) return wrong;
  if (options.rendezvous.empty()) return "--rendezvous is missing: name the file that both ends know";
  if (options.on_demand && options.role == node::NodeRole::gateway) {
    return "--on-demand belongs to --role client: a gateway always waits";
  }
  if (options.mtu < kMtuMin) return fmt::format("--mtu cannot be {}: use at least {}", options.mtu, kMtuMin);
  if (auto wrong = choose(kThreadModes, "--threads", words.threads, options.threads)) return wrong;
  if (auto wrong = choose(kUdpIos, "--udp-io", words.udp_io, options.udp_io)) return wrong;
  if (auto wrong = choose(kLogLevels, "--log-level", words.log_level, options.log_level)) return wrong;
  return choose(kLogFormats, "--log-format", words.log_format, options.log_format);
}

}  // namespace

Result<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
  Words words;
  Options options;
  CLI::App app("One end of a lab's connection: a client's or gateway's connectivity without a portal.",
               "fireline-lab-node");
  add_flags(app, words, options);
  if (auto exit = parse_command_line(app, argc, argv)) return err(std::move(*exit));
  if (auto wrong = read_words(words, options)) return err(EarlyExit{1, std::move(*wrong)});
  return options;
}

}  // namespace fireline::lab
