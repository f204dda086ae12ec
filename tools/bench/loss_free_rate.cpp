#include "tools/bench/loss_free_rate.h"

#include <cmath>

namespace fireline::bench {
namespace {

constexpr int kProbesMax = 12;
constexpr double kStep = 2;        // while the limit is not yet enclosed
constexpr double kEnclosed = 1.1;  // upper over lower bound at which the search ends
constexpr double kRangeDown = 64;

}  // namespace

double search_loss_free_rate(double guess, const std::function<double(double rate)>& loss_at) {
  double good = 0;
  double bad = 0;
  double rate = guess;
  for (int probe = 0; probe < kProbesMax; ++probe) {
    if (loss_at(rate) <= kLossFree) {
      good = rate;
    } else {
      bad = rate;
    }
    if (good == 0) {
      if (rate <= guess / kRangeDown) break;
      rate /= kStep;
    } else if (bad == 0) {
      rate *= kStep;
    } else {
      if (bad / good <= kEnclosed) break;
      rate = std::sqrt(good * bad);
    }
  }
  return good;
}

}  // namespace fireline::bench
