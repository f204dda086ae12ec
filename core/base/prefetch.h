// Asks for memory that is needed soon, so that many cache misses are waited for together and not one after the other.
// Nothing is read: a wrong address costs time alone. Threads: any; of a PrefetchHint one owner.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

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

// Where an object lay that another one led to last time, in four bytes: both can be asked for together. A guess: it may
// be gone, and it is found only inside the same 256 GB of address space, so that nothing but a prefetch may use it.
class PrefetchHint {
 public:
  void note(const void* target) noexcept {
    const auto line = static_cast<std::uint32_t>(address_of(target) / kCacheLineBytes);
    if (line_ != line) line_ = line;  // a write for nothing would take the line from other cores
  }
  // Null before the first note(). `known` is the object that leads there.
  template <class T>
  [[nodiscard]] const T* guess(const void* known) const noexcept {
    if (line_ == 0) return nullptr;
    constexpr std::uintptr_t kWindow = std::uintptr_t{kCacheLineBytes} << 32;
    return std::bit_cast<const T*>(address_of(known) / kWindow * kWindow + std::uintptr_t{line_} * kCacheLineBytes);
  }

 private:
  [[nodiscard]] static std::uintptr_t address_of(const void* object) noexcept {
    return std::bit_cast<std::uintptr_t>(object);
  }
  std::uint32_t line_ = 0;
};

}  // namespace fireline
