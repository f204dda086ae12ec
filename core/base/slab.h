// Objects of one type side by side in chunks that grow up to kSlabChunkBytes: what is read at random lies on few pages,
// and a source of memory that has large pages (io/huge_memory.h) can put it there. A place that is given back is used
// again; the chunks stay until the slab goes.
//
// Lifetime: outlives its objects, aborts otherwise; `memory` outlives the slab. Allocates in make() alone. Threads: one
// owner.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/counters.h"  // kCacheLineBytes

namespace fireline {

inline constexpr std::size_t kSlabFirstBytes = std::size_t{4} << 10;  // who has one object pays for one page
inline constexpr std::size_t kSlabChunkBytes = std::size_t{2} << 20;  // the large page of x86-64 and arm64

template <class T>
class Slab {
 public:
  struct Drop {
    Slab* slab = nullptr;
    void operator()(T* object) const noexcept { slab->drop(object); }
  };
  using Pointer = std::unique_ptr<T, Drop>;

  explicit Slab(std::pmr::memory_resource* memory) noexcept : memory_(memory) {}
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    if (size_ != 0) std::abort();
    for (const Chunk& chunk : chunks_) memory_->deallocate(chunk.place, chunk.bytes, kAlignment);
  }

  // Throws std::bad_alloc, as new does.
  template <class... Arguments>
  [[nodiscard]] T* make(Arguments&&... arguments) {
    static_assert(std::is_nothrow_constructible_v<T, Arguments...>);
    void* const place = take();
    ++size_;
    return ::new (place) T(std::forward<Arguments>(arguments)...);
  }
  template <class... Arguments>
  [[nodiscard]] Pointer make_owned(Arguments&&... arguments) {
    return Pointer(make(std::forward<Arguments>(arguments)...), Drop{this});
  }
  void drop(T* object) noexcept {
    std::destroy_at(object);
    free_ = ::new (static_cast<void*>(object)) Free{free_};
    --size_;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Free {
    Free* next;
  };
  struct Chunk {
    void* place;
    std::size_t bytes;
  };
  static constexpr std::size_t kAlignment = std::max(alignof(T), kCacheLineBytes);
  static_assert(sizeof(T) >= sizeof(Free) && sizeof(T) <= kSlabFirstBytes);

  [[nodiscard]] void* take() {
    if (free_ != nullptr) return std::exchange(free_, free_->next);
    if (room_ < sizeof(T)) add_chunk();
    room_ -= sizeof(T);
    return std::exchange(next_, next_ + sizeof(T));
  }
  void add_chunk() {
    const std::size_t bytes = chunks_.empty() ? kSlabFirstBytes : std::min(2 * chunks_.back().bytes, kSlabChunkBytes);
    chunks_.reserve(chunks_.size() + 1);
    next_ = static_cast<std::byte*>(memory_->allocate(bytes, kAlignment));
    room_ = bytes;
    chunks_.push_back({next_, bytes});
  }

  std::pmr::memory_resource* memory_;
  std::vector<Chunk> chunks_;
  Free* free_ = nullptr;
  std::byte* next_ = nullptr;  // of the last chunk: the first place that was never given out
  std::size_t room_ = 0;
  std::size_t size_ = 0;
};

}  // namespace fireline
