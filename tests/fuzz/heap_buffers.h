// What fuzz targets of engines share: buffers that a sanitizer watches, and a promise whose breach it sees.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/packet/buffer.h"

namespace fireline::fuzz {

inline void require(bool promise) {
  if (!promise) std::abort();
}

// Each buffer is an allocation of exactly its room, so that a sanitizer sees a stray access.
class HeapBuffers final : public packet::BufferSource {
 public:
  explicit HeapBuffers(std::size_t bytes) : bytes_(bytes) {}
  ~HeapBuffers() override { require(out_ == 0); }
  packet::Buffer acquire() noexcept override {
    if (out_ >= limit_) return {};
    ++out_;
    auto* slot = new packet::BufferSlot{.source = this, .data = new std::byte[bytes_], .capacity = 0};
    slot->capacity = static_cast<std::uint32_t>(bytes_);
    return packet::Buffer(slot);
  }
  std::size_t buffer_bytes() const noexcept override { return bytes_; }
  void set_limit(std::size_t limit) noexcept { limit_ = limit; }

 protected:
  void release(packet::BufferSlot* slot) noexcept override {
    delete[] slot->data;
    delete slot;
    --out_;
  }

 private:
  std::size_t bytes_;
  std::size_t out_ = 0;
  std::size_t limit_ = SIZE_MAX;
};

}  // namespace fireline::fuzz
