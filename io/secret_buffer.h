// Growable text that may hold keys: every allocation is erased before it is given back, also those left behind by
// growth. It has no small-string storage that would escape that. Threads: as a vector.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace fireline::io {

template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() noexcept = default;
  template <class U>
  WipingAllocator(const WipingAllocator<U>&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) { return std::allocator<T>{}.allocate(count); }
  void deallocate(T* memory, std::size_t count) noexcept {
    explicit_bzero(static_cast<void*>(memory), count * sizeof(T));
    std::allocator<T>{}.deallocate(memory, count);
  }
  friend bool operator==(const WipingAllocator&, const WipingAllocator&) noexcept { return true; }
};

using SecretBuffer = std::vector<char, WipingAllocator<char>>;

inline void append(SecretBuffer& buffer, std::string_view text) {
  buffer.insert(buffer.end(), text.begin(), text.end());
}
[[nodiscard]] inline std::string_view view(const SecretBuffer& buffer) noexcept {
  return {buffer.data(), buffer.size()};
}

}  // namespace fireline::io
