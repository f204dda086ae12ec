// Records that stay where they are and are named by small numbers: 4 bytes in an index instead of 8, and a number of a
// removed record is used again, so that memory follows the largest number of records there ever was.
// Lifetime: a record lives from add() to remove(). Threads: one owner. Allocates in add() alone, a chunk at a time.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fireline::relay {

inline constexpr std::uint32_t kNoRecord = UINT32_MAX;

template <class T>
class Slab {
 public:
  // The record has T's initial value.
  [[nodiscard]] std::uint32_t add() {
    if (free_.empty()) grow();
    const std::uint32_t number = free_.back();
    free_.pop_back();
    ++size_;
    return number;
  }
  void remove(std::uint32_t number) {
    (*this)[number] = T{};
    free_.push_back(number);  // has the capacity since grow()
    --size_;
  }
  [[nodiscard]] T& operator[](std::uint32_t number) noexcept { return (*chunks_[number / kChunk])[number % kChunk]; }
  [[nodiscard]] const T& operator[](std::uint32_t number) const noexcept {
    return (*chunks_[number / kChunk])[number % kChunk];
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::uint32_t kChunk = 64;

  void grow() {
    const auto first = static_cast<std::uint32_t>(chunks_.size()) * kChunk;
    chunks_.push_back(std::make_unique<std::array<T, kChunk>>());
    free_.reserve(first + kChunk);
    for (std::uint32_t i = kChunk; i > 0; --i) free_.push_back(first + i - 1);
  }

  std::vector<std::unique_ptr<std::array<T, kChunk>>> chunks_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace fireline::relay
