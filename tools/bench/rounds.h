// The rounds of a benchmark that sets candidates side by side. One thread.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "tools/bench/process.h"
#include "tools/bench/report_parts.h"

namespace fireline::bench {

// One round over all series of a block. Round 0 warms up: what it measures is dropped, and a BenchError of it is thrown
// on, since who cannot start then will not start later either; of later rounds it becomes a failure of the series.
// `measure(series)` fills, `report(series)` tells the progress; new failures are told behind it.
template <typename Series>
void measure_round(std::vector<Series>& block, int round, const auto& measure, const auto& report) {
  const bool dropped = round == 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    // Each round begins with another candidate: nobody always follows the same neighbour from a cold start.
    Series& series = block[(i + static_cast<std::size_t>(round)) % block.size()];
    check_interrupt();
    Series scratch(series.candidate());
    Series& target = dropped ? scratch : series;
    const std::size_t failures = target.failures().size();
    try {
      measure(target);
    } catch (const Interrupted&) {
      throw;
    } catch (const BenchError& error) {
      if (dropped) throw;
      target.add_failure(error.what());
    }
    report(target);
    for (std::size_t f = failures; f < target.failures().size(); ++f) progress("  failed: " + target.failures()[f]);
  }
}

}  // namespace fireline::bench
