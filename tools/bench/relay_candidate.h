// Who competes in `fireline-bench relay`: fireline-relay in user space or by XDP, coturn, or the kernel's forwarding in
// their place; and one of them running in the lab. One thread.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "tools/bench/process.h"
#include "tools/bench/relay_lab.h"
#include "tools/bench/turn_clients.h"

namespace fireline::bench {

struct RelayCandidate {
  enum class Kind : std::uint8_t { fireline, fireline_xdp, coturn, forwarding };
  Kind kind = Kind::fireline;
  std::string name;
  std::string binary;  // empty for forwarding
};

// "fireline,fireline-xdp,coturn=/opt/bin/turnserver,forwarding". `folder` is where fireline's own programs are. The
// error is a sentence for the person.
[[nodiscard]] Result<std::vector<RelayCandidate>, std::string> parse_relay_candidates(std::string_view names,
                                                                                      const std::string& folder);

// What frames need that an XDP program sends back into a veth pair: a program on the generator's end that passes them
// on, and checksums that are finished when they are sent. Undone with the object.
class XdpFarEnd {
 public:
  // `folder` holds fireline-xdp-pass. Throws BenchError.
  XdpFarEnd(const std::string& folder, const std::string& network_namespace);
  ~XdpFarEnd();
  XdpFarEnd(const XdpFarEnd&) = delete;
  XdpFarEnd& operator=(const XdpFarEnd&) = delete;

 private:
  std::string program_;
  std::string network_namespace_;
};

// A server that answers. Ended with the object.
class RunningRelay {
 public:
  // Throws BenchError, with the last lines that the program wrote.
  RunningRelay(const RelayCandidate& candidate, const RelayLab& lab);
  ~RunningRelay();
  RunningRelay(const RunningRelay&) = delete;
  RunningRelay& operator=(const RunningRelay&) = delete;

  [[nodiscard]] const TurnServer& server() const noexcept { return server_; }
  // None for forwarding.
  [[nodiscard]] const std::vector<pid_t>& processes() const noexcept { return processes_; }

 private:
  // Nothing runs yet; whatever the public one then fails in, its destructor runs.
  explicit RunningRelay(TurnServer server) : server_(std::move(server)) {}
  [[nodiscard]] Command command_of(const RelayCandidate& candidate, const RelayLab& lab);

  TurnServer server_;
  std::string users_path_;
  std::unique_ptr<XdpFarEnd> far_end_;
  std::unique_ptr<Child> process_;
  std::vector<pid_t> processes_;
};

}  // namespace fireline::bench
