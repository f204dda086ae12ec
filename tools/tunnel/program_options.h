// What gateway and client are told alike on their command lines. Flags and variables are Firezone's where it has them
// (platform specification 6.1 and 6.2); those of our own have variables that begin with FIRELINE_.
// Threads: parse before any is started (CLI11 reads the environment).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/portal/login_url.h"
#include "io/thread_mode.h"
#include "io/udp_io.h"
#include "tools/common/log_flags.h"
#include "tools/tunnel/devices.h"

namespace CLI {
class App;
}

namespace fireline::tunnel {

inline constexpr const char* kApiUrlDefault = "wss://api.firezone.dev/";
inline constexpr int kUsageExitCode = 2;

struct ProgramOptions {
  std::string api_url = kApiUrlDefault;
  std::optional<portal::PortalUrl> portal{};  // set by read(); empty for a command that needs none
  std::string name{};                         // empty: the host's
  std::string id{};                           // empty: of this device
  std::string ca_file{};
  std::string tun = "tun-firezone";
  std::string status_socket{};
  std::string status_line = "status text";  // what the command asks there
  std::optional<io::ThreadMode> threads{};
  unsigned cipher_threads = 0;
  io::UdpIo udp_io = io::UdpIo::automatic;
  std::optional<int> nice{};  // empty: platform::kDataPlaneNice
  std::size_t receive_buffer_bytes = io::kUdpReceiveBufferBytes;
  std::size_t send_buffer_bytes = io::kUdpSendBufferBytes;
  std::optional<Duration> max_partition_time{};  // without the portal; empty: for ever
  bool seccomp = true;
  LogOptions log{.name = "fireline"};
  std::vector<std::string> notes{};  // sentences for the log: what was asked for and is not done

  [[nodiscard]] TunnelOptions tunnel() const;
};

// As the person wrote it.
struct ProgramWords {
  std::string threads = "auto";
  std::string cipher_threads = "0";
  std::string udp_io = "auto";
  std::string nice;
  std::string max_partition_time;  // empty: as it is in ProgramOptions
  LogWords log;
  bool no_seccomp = false;
  bool status_json = false;
  bool status_metrics = false;
  bool no_telemetry = false;  // there is none
  std::string metrics;        // metrics are on the status socket
  std::string otlp;
};

// `partition_variable`: of the environment, for --max-partition-time, which the programs name differently.
void add_program_flags(CLI::App& app, ProgramWords& words, ProgramOptions& options, const char* partition_variable);
// The command `status`.
[[nodiscard]] CLI::App* add_status_command(CLI::App& app, ProgramWords& words, ProgramOptions& options,
                                           const char* help);
// The first thing that is wrong, as a sentence. The URL is read for commands that log in.
[[nodiscard]] std::optional<std::string> read_program_words(const ProgramWords& words, bool logs_in,
                                                            ProgramOptions& options);

}  // namespace fireline::tunnel
