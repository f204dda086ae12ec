// What fping prints for each reply ("… : [3], 64 bytes, 0.061 ms …", "… : duplicate for [3], …"). No state; any thread.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

namespace fireline::bench {

struct PingReplies {
  std::vector<double> times;  // milliseconds, finite and not negative, in the order of arrival, without duplicates
  std::size_t duplicates = 0;
};

[[nodiscard]] PingReplies read_ping(std::string_view text);

}  // namespace fireline::bench
