// Medians and spreads of a few rounds. Pure functions.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace fireline::bench {

struct Summary {
  double median = 0;  // of an even count the mean of the middle two
  double low = 0;
  double high = 0;
  std::size_t count = 0;
};

// Empty without values.
[[nodiscard]] std::optional<Summary> summarize(std::span<const double> values);

// The value that `percent` of the values do not exceed (nearest rank); empty without values.
[[nodiscard]] std::optional<double> percentile(std::span<const double> values, double percent);

}  // namespace fireline::bench
