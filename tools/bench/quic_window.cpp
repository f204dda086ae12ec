#include "tools/bench/quic_window.h"

#include <algorithm>
#include <utility>

namespace fireline::bench {

void QuicWindow::acknowledged(std::uint64_t next, std::uint64_t received) noexcept {
  if (next <= acknowledged_ || next > sent_) return;  // an older one that was overtaken, or nonsense
  const std::uint64_t fresh = next - acknowledged_;
  const std::uint64_t lost = next - std::min(received, next);
  acknowledged_ = next;
  const bool more_lost = lost > std::exchange(lost_, lost);
  if (next <= recovered_at_) return;
  if (more_lost) return cut();
  if (window_ < threshold_) {
    window_ = std::min(window_ + fresh, kMost);
    return;
  }
  credit_ += fresh;
  if (credit_ < window_) return;
  credit_ -= window_;
  window_ = std::min(window_ + 1, kMost);
}

void QuicWindow::timed_out() noexcept {
  cut();
  window_ = kLeast;
  acknowledged_ = sent_;
}

void QuicWindow::cut() noexcept {
  window_ = std::max(window_ / 2, kLeast);
  threshold_ = window_;
  credit_ = 0;
  recovered_at_ = sent_;
}

}  // namespace fireline::bench
