// What `iperf3 -J` prints. No state; any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace fireline::bench {

struct TcpResult {
  double bits_per_second = 0;  // as the receiver counts
  double bytes = 0;            // received
  std::int64_t retransmits = 0;
};

// Lines before the first line that is a lone brace are warnings. The error is a sentence for the person (iperf3's own
// where it gives one).
[[nodiscard]] Result<TcpResult, std::string> read_iperf(std::string_view text);

}  // namespace fireline::bench
