// Tells when the machine slept: CLOCK_BOOTTIME runs on meanwhile, CLOCK_MONOTONIC does not. Pure: clocks are arguments,
// except for read_suspend_clocks(). Threads: one.
//
// A timer on CLOCK_BOOTTIME that asks every kInterval is late at most by that much after a short sleep, and due at once
// after a longer one.
#pragma once
#include <chrono>
#include <optional>

#include "core/base/time.h"

namespace fireline {

struct SuspendClocks {
  Duration boot;
  Duration monotonic;
};

[[nodiscard]] SuspendClocks read_suspend_clocks() noexcept;

class SuspendWatch {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(5);
  // Between the two readings a thread may lose the CPU.
  static constexpr Duration kSleepMin = std::chrono::seconds(1);

  explicit SuspendWatch(SuspendClocks start) noexcept : ahead_(start.boot - start.monotonic) {}

  // How long it slept since the last look that said so; empty: it did not.
  [[nodiscard]] std::optional<Duration> look(SuspendClocks now) noexcept {
    const Duration slept = now.boot - now.monotonic - ahead_;
    if (slept < kSleepMin) return std::nullopt;
    ahead_ += slept;
    return slept;
  }

 private:
  Duration ahead_;  // boot time before monotonic time
};

}  // namespace fireline
