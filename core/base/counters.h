// Named counters of one owner thread. The owner adds; any thread may read a value that is at most slightly old.
// Relaxed order is enough: a counter orders nothing, and with a single writer load+store costs what a plain add costs.
//
// A module's counters are an enum whose last enumerator is `count_`, and a function found by ADL:
//   enum class Drop : std::uint8_t { no_route, queue_full, count_ };
//   constexpr std::string_view name_of(Drop);     // "drop.no_route": the name in status, metrics and tests
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fireline {

class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

inline constexpr std::size_t kCacheLineBytes = 64;

template <class Enum>
class alignas(kCacheLineBytes) Counters {
 public:
  static constexpr std::size_t kCount = static_cast<std::size_t>(Enum::count_);

  void add(Enum which, std::uint64_t n = 1) noexcept { values_[static_cast<std::size_t>(which)].add(n); }
  [[nodiscard]] std::uint64_t get(Enum which) const noexcept { return values_[static_cast<std::size_t>(which)].get(); }

  // visit(std::string_view name, std::uint64_t value) for each counter, in the enum's order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < kCount; ++i) visit(name_of(static_cast<Enum>(i)), values_[i].get());
  }

 private:
  std::array<Counter, kCount> values_;
};

}  // namespace fireline
