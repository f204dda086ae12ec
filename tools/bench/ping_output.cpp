#include "tools/bench/ping_output.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace fireline::bench {

PingReplies read_ping(std::string_view text) {
  constexpr std::string_view kSize = " bytes, ";
  PingReplies replies;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t at = line.find(kSize);
    if (at == std::string_view::npos || line.substr(0, at).find("], ") == std::string_view::npos) continue;
#ifdef FIRELINE_PLANTED_BUG
    const std::string_view number = line.substr(at + kSize.size() + 1);
#else
    const std::string_view number = line.substr(at + kSize.size());
#endif
    const char* const end = number.data() + number.size();
    double time = 0;
    // from_chars reads "nan" and "inf" as well, which no order of times survives.
    if (std::from_chars(number.data(), end, time).ec != std::errc{} || !std::isfinite(time) || time < 0) continue;
    if (line.find(" duplicate for [") != std::string_view::npos) {
      ++replies.duplicates;
    } else {
      replies.times.push_back(time);
    }
  }
  return replies;
}

}  // namespace fireline::bench
