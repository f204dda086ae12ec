// Finds the highest rate that a path carries without loss, by probing. Pure: the probe is a function.
#pragma once
#include <functional>

namespace fireline::bench {

// A probe counts as loss-free up to this share: on a shared two-core machine a single late wake-up loses a few
// datagrams of a second at any rate, and the search would find the machine's noise instead of the path's limit.
inline constexpr double kLossFree = 0.001;
// Of the twice of that rate that a sender is asked for, so that it counts as overload.
inline constexpr double kOverloadLeast = 1.8;

// `loss_at(rate)` gives the lost share, 0 to 1, at that rate. `guess` is where the search starts, in the same unit.
// At most 12 probes; the result is within 10 % below the limit of a path whose loss grows with the rate. 0: every rate
// down to a 64th of the guess loses.
[[nodiscard]] double search_loss_free_rate(double guess, const std::function<double(double rate)>& loss_at);

}  // namespace fireline::bench
