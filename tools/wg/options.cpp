#include "tools/wg/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "io/tun_open.h"
#include "tools/common/choice.h"
#include "tools/common/io_choices.h"

namespace fireline::wg {
namespace {

// As the person wrote it; turned into values when all of it is read, so that each error is a sentence of ours.
struct Words {
  std::string interface_name;
  bool status = false;
  bool json = false;
  bool foreground = false;
  std::string mtu;
  std::string threads = "auto";
  std::string cipher_threads = "0";
  std::string udp_io = "auto";
  std::string nice;
  std::string aead = "auto";
  std::string metrics;
  std::string log_level;
  std::string log_format = "text";
  std::string log_file;
  bool no_seccomp = false;
};

using AeadChoice = std::optional<crypto::AeadBackend>;
constexpr std::array kAeads{Choice{std::string_view("auto"), AeadChoice()},
                            Choice{std::string_view("ipsec-mb"), AeadChoice(crypto::AeadBackend::ipsec_mb)},
                            Choice{std::string_view("openssl"), AeadChoice(crypto::AeadBackend::openssl)},
                            Choice{std::string_view("libsodium"), AeadChoice(crypto::AeadBackend::libsodium)}};
constexpr std::array kLogLevels{
    Choice{std::string_view("verbose"), LogLevel::debug}, Choice{std::string_view("debug"), LogLevel::debug},
    Choice{std::string_view("info"), LogLevel::info}, Choice{std::string_view("error"), LogLevel::error},
    Choice{std::string_view("silent"), LogLevel::silent}};
constexpr std::array kLogFormats{Choice{std::string_view("text"), LogFormat::text},
                                 Choice{std::string_view("json"), LogFormat::json}};

void add_flags(CLI::App& app, Words& words) {
  app.set_version_flag("--version", "fireline-wg " FIRELINE_VERSION);
  app.add_option("INTERFACE", words.interface_name, "Network interface to create, or to ask with --status");
  app.add_flag("-f,--foreground", words.foreground, "Stay in the foreground; log to standard output")
      ->envname("FIRELINE_WG_FOREGROUND");
  app.add_flag("--status", words.status, "Print what the running fireline-wg of INTERFACE does")
      ->envname("FIRELINE_WG_STATUS");
  app.add_flag("--json", words.json, "With --status: as JSON")->envname("FIRELINE_WG_JSON");
  app.add_flag("--no-seccomp", words.no_seccomp, "Do without the filter of system calls: for debugging tools alone")
      ->envname("FIRELINE_WG_NO_SECCOMP");
  add_words(
      app,
      {{"--mtu", words.mtu, "MTU of the interface, 576 to 9000 (default 1420)", "FIRELINE_WG_MTU"},
       {"--threads", words.threads, kThreadsHelp, "FIRELINE_WG_THREADS"},
       {"--cipher-threads", words.cipher_threads, kCipherThreadsHelp, "FIRELINE_WG_CIPHER_THREADS"},
       {"--udp-io", words.udp_io, kUdpIoHelp, "FIRELINE_WG_UDP_IO"},
       {"--nice", words.nice, kNiceHelp, "FIRELINE_WG_NICE"},
       {"--aead", words.aead, "ipsec-mb, openssl, libsodium or auto (default: the fastest here)", "FIRELINE_WG_AEAD"},
       {"--metrics", words.metrics, "Serve Prometheus metrics over HTTP on ADDRESS:PORT", "FIRELINE_WG_METRICS"},
       {"--log-level", words.log_level, "debug, info (default), error or silent; LOG_LEVEL is understood as well",
        "FIRELINE_WG_LOG_LEVEL"},
       {"--log-format", words.log_format, "text (default) or json, one object per line", "FIRELINE_WG_LOG_FORMAT"},
       {"--log-file", words.log_file, "Append the log to this file", "FIRELINE_WG_LOG_FILE"}});
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::optional<std::string> read_log_level(const Words& words, LogLevel& out) {
  if (!words.log_level.empty()) return choose(kLogLevels, "--log-level", words.log_level, out);
  // The variable is shared with other programs: a word that only they know changes nothing.
  (void)choose(kLogLevels, "LOG_LEVEL", environment("LOG_LEVEL"), out);
  return std::nullopt;
}

std::optional<std::string> read_metrics(const std::string& word, std::optional<Endpoint>& out) {
  if (word.empty()) return std::nullopt;
  out = Endpoint::parse(word);
  if (out && out->port != 0) return std::nullopt;
  return fmt::format("--metrics cannot be \"{}\": use ADDRESS:PORT, for example 127.0.0.1:9100 or [::1]:9100", word);
}

std::optional<std::string> check_name(std::string_view name) {
  std::string_view wrong = io::check_interface_name(name);
  // The sockets are named after the interface before the kernel could complete a pattern.
  if (wrong.empty() && name.find('%') != name.npos) wrong = "an interface name must be complete, without %";
  if (wrong.empty()) return std::nullopt;
  return fmt::format("\"{}\" cannot be the name of an interface: {}", name, wrong);
}

// The first thing that is wrong, as a sentence.
std::optional<std::string> read_words(const Words& words, Options& options) {
  options.command = words.status ? Options::Command::status : Options::Command::run;
  options.interface_name = words.interface_name;
  options.json = words.json;
  options.seccomp = !words.no_seccomp;
  options.foreground = words.foreground || environment("WG_PROCESS_FOREGROUND") == "1";
  if (words.interface_name.empty()) return "the name of the interface is missing: use fireline-wg [-f] INTERFACE";
  if (auto wrong = check_name(words.interface_name)) return wrong;
  if (words.json && !words.status) return "--json belongs to --status: use fireline-wg --status INTERFACE --json";
  if (auto wrong = read_number_if_given("--mtu", words.mtu, kMtuMin, kMtuMax, options.mtu)) return wrong;
  if (auto wrong = choose(kThreadModes, "--threads", words.threads, options.threads)) return wrong;
  if (auto wrong = read_cipher_threads(words.cipher_threads, options.cipher_threads)) return wrong;
  if (auto wrong = choose(kUdpIos, "--udp-io", words.udp_io, options.udp_io)) return wrong;
  if (auto wrong = read_nice(words.nice, options.nice)) return wrong;
  if (auto wrong = choose(kAeads, "--aead", words.aead, options.aead)) return wrong;
  if (auto wrong = read_metrics(words.metrics, options.metrics)) return wrong;
  if (auto wrong = read_log_level(words, options.log_level)) return wrong;
  if (auto wrong = choose(kLogFormats, "--log-format", words.log_format, options.log_format)) return wrong;
  if (!words.log_file.empty()) {
    std::error_code error;
    // The background process leaves the present directory.
    options.log_file = std::filesystem::absolute(words.log_file, error).string();
    if (error) return fmt::format("--log-file {}: {}", words.log_file, error.message());
  }
  return std::nullopt;
}

}  // namespace

Result<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
  Words words;
  CLI::App app("A userspace WireGuard device, configured with wg and wg-quick.", "fireline-wg");
  add_flags(app, words);
  if (auto exit = parse_command_line(app, argc, argv)) return err(std::move(*exit));
  Options options;
  if (auto wrong = read_words(words, options)) return err(EarlyExit{1, std::move(*wrong)});
  return options;
}

}  // namespace fireline::wg
