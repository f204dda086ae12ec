// Asks for memory that is needed soon, so that many cache misses are waited for together and not one after the other.
// Nothing is read: a wrong address costs time alone. Threads: any.
#pragma once
#include <cstddef>

#include "core/base/counters.h"  // kCacheLineBytes

namespace fireline {

inline void prefetch_line(const void* address) noexcept {
  __builtin_prefetch(address);
  // GCC counts a function that only prefetches as one without effect and leaves its calls out.
  asm volatile("" : : "r"(address));
}
// The lines of [begin, end). `begin` is the beginning of one.
inline void prefetch(const void* begin, const void* end) noexcept {
  const auto* const stop = static_cast<const std::byte*>(end);
  for (const auto* line = static_cast<const std::byte*>(begin); line < stop; line += kCacheLineBytes) {
    prefetch_line(line);
  }
}

}  // namespace fireline
