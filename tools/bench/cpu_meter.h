// CPU time of processes and of the whole machine, from /proc; the kernel's resolution is 10 ms. One thread.
#pragma once
#include <sys/types.h>

#include <optional>
#include <span>
#include <string_view>

namespace fireline::bench {

struct CpuTimes {
  double processes = 0;  // seconds, user and system, all threads
  double machine = 0;    // seconds that the CPUs were not idle; stolen time is not ours
};

// A process that has ended counts zero.
[[nodiscard]] CpuTimes cpu_times(std::span<const pid_t> processes);

// Ticks out of /proc/PID/stat and /proc/stat; for tests.
[[nodiscard]] std::optional<unsigned long> process_ticks(std::string_view stat);
[[nodiscard]] std::optional<unsigned long> busy_ticks(std::string_view stat);

}  // namespace fireline::bench
