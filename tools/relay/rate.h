// A rate for the statistics line: two decimals, steps of 1000: "42.00 B/s", "955.33 MB/s". Any thread.
#pragma once
#include <string>

namespace fireline::relay {

[[nodiscard]] std::string rate_text(double bytes_per_second);

}  // namespace fireline::relay
