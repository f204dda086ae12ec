// A BufferSource for tests: buffers from the heap, a limit, and a count of those that are out.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "core/packet/buffer.h"

namespace fireline::io {

class HeapBuffers final : public packet::BufferSource {
 public:
  explicit HeapBuffers(std::size_t limit = 64, std::size_t bytes = packet::kLargeBufferBytes)
      : limit_(limit), bytes_(bytes) {}

  packet::Buffer acquire() noexcept override {
    if (out_ >= limit_) return {};
    ++out_;
    auto slot = std::make_unique<Slot>();
    slot->memory.resize(packet::kHeadroomBytes + bytes_ + packet::kTailroomBytes, std::byte{0xEE});
    slot->base = {.source = this,
                  .data = slot->memory.data() + packet::kHeadroomBytes,
                  .capacity = static_cast<std::uint32_t>(bytes_)};
    slots_.push_back(std::move(slot));
    return packet::Buffer(&slots_.back()->base);
  }
  std::size_t buffer_bytes() const noexcept override { return bytes_; }
  std::size_t out() const noexcept { return out_; }

 protected:
  void release(packet::BufferSlot* slot) noexcept override {
    --out_;
    std::erase_if(slots_, [slot](const auto& each) { return &each->base == slot; });
  }

 private:
  struct Slot {
    packet::BufferSlot base;
    std::vector<std::byte> memory;
  };
  std::size_t limit_;
  std::size_t bytes_;
  std::size_t out_ = 0;
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace fireline::io
