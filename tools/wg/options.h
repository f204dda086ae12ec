// The command line of fireline-wg. Every flag has an environment variable FIRELINE_WG_…; the flag wins.
// Also understood, as wireguard-go does: LOG_LEVEL=verbose|debug|info|error|silent and WG_PROCESS_FOREGROUND=1.
// Threads: parse before any is started (it reads the environment).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/crypto/aead.h"
#include "io/thread_mode.h"
#include "io/udp_io.h"
#include "tools/command_line/command_line.h"
#include "tools/common/logging.h"

namespace fireline::wg {

inline constexpr std::uint16_t kMtuMin = 576;       // RFC 791: what every IPv4 host must take
inline constexpr std::uint16_t kMtuMax = 9000;      // jumbo frames; pools and segment sizes are made for it
inline constexpr std::uint16_t kMtuDefault = 1420;  // 1500 - IPv6 40 - UDP 8 - WireGuard 32

struct Options {
  enum class Command : std::uint8_t { run, status };
  Command command = Command::run;
  std::string interface_name;
  bool json = false;  // of status
  bool foreground = false;
  std::uint16_t mtu = kMtuDefault;
  std::optional<io::ThreadMode> threads;  // empty: by the number of usable CPUs
  unsigned cipher_threads = 0;
  io::UdpIo udp_io = io::UdpIo::automatic;
  std::optional<int> nice;                  // empty: platform::kDataPlaneNice
  std::optional<crypto::AeadBackend> aead;  // empty: the fastest
  std::optional<Endpoint> metrics;
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  bool seccomp = true;
  std::string log_file;  // absolute; empty: standard output in the foreground, nothing in the background
};

[[nodiscard]] Result<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace fireline::wg
