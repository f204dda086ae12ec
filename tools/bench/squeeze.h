// Takes CPU away from a process, so that load exceeds what it can do although it is cheaper than the generator: its
// threads may only run on one core, which three spinning threads want as well. Undone with the object. One thread.
#pragma once
#include <sched.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace fireline::bench {

class Squeeze {
 public:
  static constexpr std::size_t kSpinners = 3;  // leave a quarter of the core

  // The last core that this process may use: the one where receivers of the benchmark run. Threads that a process
  // starts later inherit the restriction.
  explicit Squeeze(std::span<const pid_t> processes);
  ~Squeeze();
  Squeeze(const Squeeze&) = delete;
  Squeeze& operator=(const Squeeze&) = delete;

 private:
  std::vector<std::pair<pid_t, cpu_set_t>> before_;  // per thread
  std::array<std::jthread, kSpinners> spinners_;
};

}  // namespace fireline::bench
