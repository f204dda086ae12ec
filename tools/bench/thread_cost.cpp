#include "tools/bench/thread_cost.h"

#include <malloc.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "io/huge_memory.h"

namespace fireline::bench {

double thread_nanoseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double clock_cost() {
  double least = std::numeric_limits<double>::max();
  for (int i = 0; i < 1000; ++i) {
    const double start = thread_nanoseconds();
    least = std::min(least, thread_nanoseconds() - start);
  }
  return least;
}

std::int64_t allocated_bytes() {
  const auto info = ::mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd + io::huge_memory_bytes());
}

}  // namespace fireline::bench
