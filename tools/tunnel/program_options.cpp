#include "tools/tunnel/program_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>

#include "io/tun_open.h"
#include "platform/linux/routing.h"
#include "tools/command_line/command_line.h"
#include "tools/common/choice.h"
#include "tools/common/human_duration.h"
#include "tools/common/io_choices.h"

namespace fireline::tunnel {
namespace {

// As Firezone's: what is no number changes nothing.
void read_bytes(const char* variable, std::size_t& out) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return;
  const std::string_view word(text);
  std::size_t bytes = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), bytes);
  if (error == std::errc() && end == word.data() + word.size()) out = bytes;
}

std::optional<std::string> check_tun_name(const std::string& name) {
  std::string_view wrong = io::check_interface_name(name);
  if (wrong.empty() && name.find('%') != name.npos) wrong = "an interface name must be complete, without %";
  if (wrong.empty()) return std::nullopt;
  return fmt::format("--tun-name cannot be \"{}\": {}", name, wrong);
}

}  // namespace

TunnelOptions ProgramOptions::tunnel() const {
  return {.tun = tun,
          .mark = platform::kSocketMark,
          .threads = threads,
          .cipher_threads = cipher_threads,
          .udp_io = udp_io,
          .receive_buffer_bytes = receive_buffer_bytes,
          .send_buffer_bytes = send_buffer_bytes};
}

void add_program_flags(CLI::App& app, ProgramWords& words, ProgramOptions& options, const char* partition_variable) {
  add_words(app,
            {{"-u,--api-url", options.api_url, "The portal (default wss://api.firezone.dev/)", "FIREZONE_API_URL"},
             {"-n,--firezone-name", options.name, "Name that the portal shows (default: the host's)", "FIREZONE_NAME"},
             {"-i,--firezone-id", options.id, "Id of this device (default: kept or derived)", "FIREZONE_ID"},
             {"-m,--max-partition-time", words.max_partition_time,
              "How long to go on without the portal: 30s, 5m, 1h, 30d, at most 3650d", partition_variable},
             {"--ca-file", options.ca_file, "PEM file of certificates trusted beside the system's", "FIRELINE_CA_FILE"},
             {"--tun-name", options.tun, "Network interface to create (default tun-firezone)", "FIRELINE_TUN_NAME"},
             {"--status-socket", options.status_socket, "Unix socket of status and metrics", "FIRELINE_STATUS_SOCKET"},
             {"--threads", words.threads, kThreadsHelp, "FIRELINE_THREADS"},
             {"--cipher-threads", words.cipher_threads, kCipherThreadsHelp, "FIRELINE_CIPHER_THREADS"},
             {"--udp-io", words.udp_io, kUdpIoHelp, "FIRELINE_UDP_IO"},
             {"--nice", words.nice, kNiceHelp, "FIRELINE_NICE"}});
  add_log_flags(app, words.log, {.level = "RUST_LOG", .format = "FIREZONE_LOG_FORMAT"});
  app.add_flag("--no-seccomp", words.no_seccomp, "Do without the filter of system calls: for debugging tools alone")
      ->envname("FIRELINE_NO_SECCOMP");
  // Understood so that Firezone's units and containers work as they are.
  app.add_flag("--no-telemetry", words.no_telemetry)->envname("FIREZONE_NO_TELEMETRY")->group("");
  add_words(app,
            {{"--metrics", words.metrics, "", "FIREZONE_METRICS"},
             {"--otlp-grpc-endpoint", words.otlp, "", "OTLP_GRPC_ENDPOINT"}},
            "");
  read_bytes("FIREZONE_UDP_RECV_BUFFER_SIZE", options.receive_buffer_bytes);
  read_bytes("FIREZONE_UDP_SEND_BUFFER_SIZE", options.send_buffer_bytes);
}

CLI::App* add_status_command(CLI::App& app, ProgramWords& words, ProgramOptions& options, const char* help) {
  CLI::App* const status = app.add_subcommand("status", help);
  CLI::Option* const json = status->add_flag("--json", words.status_json, "As JSON, with all counters");
  status->add_flag("--metrics", words.status_metrics, "As Prometheus text")->excludes(json);
  status->add_option("--status-socket", options.status_socket)->group("");
  return status;
}

std::optional<std::string> read_program_words(const ProgramWords& words, bool logs_in, ProgramOptions& options) {
  options.seccomp = !words.no_seccomp;
  if (words.status_json) options.status_line = "status";
  if (words.status_metrics) options.status_line = "metrics";
  if (auto wrong = check_tun_name(options.tun)) return wrong;
  if (auto wrong = choose(kThreadModes, "--threads", words.threads, options.threads)) return wrong;
  if (auto wrong = read_cipher_threads(words.cipher_threads, options.cipher_threads)) return wrong;
  if (auto wrong = choose(kUdpIos, "--udp-io", words.udp_io, options.udp_io)) return wrong;
  if (auto wrong = read_nice(words.nice, options.nice)) return wrong;
  if (auto wrong = read_log_words(words.log, options.log)) return wrong;
  if (!words.max_partition_time.empty()) {
    options.max_partition_time = parse_human_duration(words.max_partition_time);
    if (!options.max_partition_time) {
      return fmt::format(
          "--max-partition-time cannot be \"{}\": use numbers with units, for example 5m, 1h 30m, 30d, at "
          "most 3650d",
          words.max_partition_time);
    }
  }
  if (!logs_in) return std::nullopt;
  auto portal = portal::PortalUrl::parse(options.api_url);
  if (!portal) return portal.error();
  options.portal = std::move(*portal);
  return std::nullopt;
}

}  // namespace fireline::tunnel
