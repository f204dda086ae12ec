// The command line of fireline-lab-node. Threads: parse before any is started (it reads the environment).
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/node/node_options.h"
#include "io/thread_mode.h"
#include "io/udp_io.h"
#include "tools/command_line/command_line.h"
#include "tools/common/logging.h"

namespace fireline::lab {

inline constexpr std::uint16_t kPort = 52625;  // connectivity specification 4.1

struct Options {
  enum class Command : std::uint8_t { run, ask };
  Command command = Command::run;
  node::NodeRole role = node::NodeRole::client;
  std::string rendezvous;  // the file; the ends meet in the folder FILE.d
  std::string state;       // the folder of the status socket
  std::string tun;
  std::string question;    // of ask
  bool on_demand = false;  // a client: connects when told so
  std::uint16_t port = kPort;
  std::uint16_t mtu = node::kTunnelMtu;
  std::uint32_t fwmark = 0;
  std::optional<io::ThreadMode> threads;  // empty: by the number of usable CPUs
  io::UdpIo udp_io = io::UdpIo::automatic;
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;

  [[nodiscard]] std::string socket_path() const { return state + "/" + tun + ".sock"; }
};

[[nodiscard]] Result<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace fireline::lab
