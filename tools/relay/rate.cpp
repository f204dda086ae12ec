#include "tools/relay/rate.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace fireline::relay {

std::string rate_text(double bytes_per_second) {
  constexpr std::array kUnits{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
  constexpr double kStep = 1000.0;
  std::size_t unit = 0;
  while (bytes_per_second >= kStep && unit + 1 < kUnits.size()) {
    bytes_per_second /= kStep;
    ++unit;
  }
  return fmt::format("{:.2f} {}", bytes_per_second, kUnits[unit]);
}

}  // namespace fireline::relay
