// The XDP program as the loop's fast path, and its share of status and metrics.
// Lifetime: attached from open() to the end of the object. Threads: the loop's.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "relay/fast_path.h"
#include "tools/relay/options.h"
#include "tools/relay/report.h"

namespace fireline::relay {

class XdpPath : public FastPath {
 public:
  // options.offload is given. Asked for and impossible is an error: one sentence.
  [[nodiscard]] static Result<std::unique_ptr<XdpPath>, std::string> open(const RelayOptions& options);

  // A sentence when the maps cannot be written any more, for after privileges were dropped.
  [[nodiscard]] virtual std::optional<std::string> check_access() const = 0;
  // "xdp driver eth0"
  [[nodiscard]] virtual std::string description() const = 0;
  // What the operator should know at start, a sentence each.
  [[nodiscard]] virtual const std::vector<std::string>& warnings() const = 0;
  // Appends its counters; answers the payload bytes relayed so far, both directions.
  [[nodiscard]] virtual std::uint64_t add_counters(std::vector<NamedNumber>& counters) const = 0;
  // With --ebpf-debug: what the ring holds, a line each at trace, target eBPF. A bounded number in each call.
  virtual void log_frames() = 0;
};

}  // namespace fireline::relay
