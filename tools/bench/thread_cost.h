// What a piece of work in this process costs: CPU time of the calling thread, memory. Threads: any, each for itself;
// the memory is the process's.
#pragma once
#include <cstdint>

namespace fireline::bench {

[[nodiscard]] double thread_nanoseconds();

// What two readings of thread_nanoseconds() with nothing in between differ by.
[[nodiscard]] double clock_cost();

// What malloc and io/huge_memory.h have given out.
[[nodiscard]] std::int64_t allocated_bytes();

}  // namespace fireline::bench
