#include "io/huge_memory.h"

#include <sys/mman.h>

#include <atomic>
#include <memory>
#include <new>

namespace fireline::io {
namespace {

std::atomic<std::size_t> bytes_out{0};

class HugeMemory final : public std::pmr::memory_resource {
 private:
  [[nodiscard]] static bool is_huge(std::size_t bytes) noexcept { return bytes != 0 && bytes % kHugePageBytes == 0; }

  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (!is_huge(bytes)) return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    // mmap aligns to small pages: one large page more, and what is before and behind goes back.
    std::size_t room = bytes + kHugePageBytes;
    void* place = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) throw std::bad_alloc();
    auto* const mapped = static_cast<std::byte*>(place);
    auto* const aligned = static_cast<std::byte*>(std::align(kHugePageBytes, bytes, place, room));
    if (aligned != mapped) ::munmap(mapped, static_cast<std::size_t>(aligned - mapped));
    if (room != bytes) ::munmap(aligned + bytes, room - bytes);
    // Refused by a kernel without large pages: the memory is as good, only slower.
    static_cast<void>(::madvise(aligned, bytes, MADV_HUGEPAGE));
    bytes_out += bytes;
    return aligned;
  }
  void do_deallocate(void* place, std::size_t bytes, std::size_t alignment) override {
    if (!is_huge(bytes)) return std::pmr::new_delete_resource()->deallocate(place, bytes, alignment);
    ::munmap(place, bytes);
    bytes_out -= bytes;
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

}  // namespace

std::pmr::memory_resource* huge_memory() noexcept {
  static HugeMemory memory;
  return &memory;
}

std::size_t huge_memory_bytes() noexcept {
  return bytes_out;
}

}  // namespace fireline::io
