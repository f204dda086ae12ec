// Which cores threads of the benchmark may use. A thread that the kernel moves measures the moving.
#pragma once
#include <sched.h>

#include <cstddef>
#include <vector>

namespace fireline::bench {

// Those that the calling thread may run on, ascending; never empty.
[[nodiscard]] std::vector<unsigned> usable_cores();
[[nodiscard]] cpu_set_t only(unsigned core) noexcept;

// The calling thread stays on one core while this lives; where the kernel refuses, it goes on as before. One thread.
class OnCore {
 public:
  explicit OnCore(std::size_t which);  // of the usable ones, modulo how many there are
  ~OnCore();
  OnCore(const OnCore&) = delete;
  OnCore& operator=(const OnCore&) = delete;

 private:
  cpu_set_t before_{};
};

}  // namespace fireline::bench
