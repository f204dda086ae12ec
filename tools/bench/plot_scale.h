// The axis of a plot: from values to percent of its length, with ticks at round numbers. Pure.
#pragma once
#include <string>
#include <vector>

namespace fireline::bench {

class PlotScale {
 public:
  // From 0 to a round number that is at least `most`, with three to six ticks.
  [[nodiscard]] static PlotScale linear(double most);
  // Between numbers 1, 2 or 5 times a power of ten that hold both; `least` is above 0.
  [[nodiscard]] static PlotScale logarithmic(double least, double most);

  // Held between 0 and 100.
  [[nodiscard]] double percent(double value) const;
  [[nodiscard]] const std::vector<double>& ticks() const noexcept { return ticks_; }

 private:
  PlotScale(double low, double high, bool logarithmic, std::vector<double> ticks) noexcept;
  double low_;
  double high_;
  bool logarithmic_;
  std::vector<double> ticks_;
};

// "0.05", "2", "10000".
[[nodiscard]] std::string tick_text(double value);

}  // namespace fireline::bench
