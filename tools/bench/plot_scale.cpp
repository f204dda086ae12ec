#include "tools/bench/plot_scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace fireline::bench {
namespace {

constexpr std::array kFactors{1.0, 2.0, 5.0};
constexpr double kSteps = 4;            // aimed at on a linear axis
constexpr std::size_t kLogTicks = 6;    // more do not fit beside each other on a phone
constexpr double kRounding = 1 + 1e-9;  // what is a round number but for its last bits

// The least of 1, 2 or 5 times a power of ten that is not below.
double round_up(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : kFactors) {
    if (value <= factor * power * kRounding) return factor * power;
  }
  return 10 * power;
}

double round_down(double value) {
  const double power = std::pow(10, std::floor(std::log10(value * kRounding)));
  for (std::size_t i = kFactors.size(); i > 1; --i) {
    if (kFactors[i - 1] * power <= value * kRounding) return kFactors[i - 1] * power;
  }
  return power;
}

}  // namespace

PlotScale::PlotScale(double low, double high, bool logarithmic, std::vector<double> ticks) noexcept
    : low_(low), high_(high), logarithmic_(logarithmic), ticks_(std::move(ticks)) {}

PlotScale PlotScale::linear(double most) {
  if (!(most > 0)) most = 1;
  const double step = round_up(most / kSteps);
  const auto count = static_cast<std::size_t>(std::ceil(most / step / kRounding));
  std::vector<double> ticks;
  for (std::size_t i = 0; i <= count; ++i) ticks.push_back(static_cast<double>(i) * step);
  return {0, ticks.back(), false, ticks};
}

PlotScale PlotScale::logarithmic(double least, double most) {
  const double low = round_down(least);
  const double high = std::max(round_up(most), round_up(low * 2));
  std::vector<double> ticks;
  double tick = low;
  while (tick <= high * kRounding) {
    ticks.push_back(tick);
    tick = round_up(tick * 1.5);
  }
  // The ends stay, and every second of the rest, until they fit.
  while (ticks.size() > kLogTicks) {
    std::vector<double> fewer;
    for (std::size_t i = 0; i + 1 < ticks.size(); i += 2) fewer.push_back(ticks[i]);
    // Next to the end there is no room for another text.
    if (ticks.size() % 2 == 0) fewer.pop_back();
    fewer.push_back(ticks.back());
    ticks = std::move(fewer);
  }
  return {low, high, true, ticks};
}

double PlotScale::percent(double value) const {
  if (logarithmic_) {
    const double at = std::max(value, low_);
    return std::clamp(100 * std::log(at / low_) / std::log(high_ / low_), 0.0, 100.0);
  }
  return std::clamp(100 * (value - low_) / (high_ - low_), 0.0, 100.0);
}

std::string tick_text(double value) {
  return fmt::format("{:.10g}", value);
}

}  // namespace fireline::bench
