// A pool that counts what is out, keeps slots for reuse, and refuses beyond its limit as a real one does.
// Threads: one.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "core/packet/buffer.h"

namespace fireline::sim {

class CountedBuffers final : public packet::BufferSource {
 public:
  CountedBuffers(std::size_t bytes, std::size_t limit) : bytes_(bytes), limit_(limit) {}

  [[nodiscard]] packet::Buffer acquire() noexcept override {
    if (out_ == limit_) return {};
    if (free_.empty()) add_slot();
    packet::BufferSlot* slot = free_.back();
    free_.pop_back();
    ++out_;
    return packet::Buffer(slot);
  }
  [[nodiscard]] std::size_t buffer_bytes() const noexcept override { return bytes_; }
  [[nodiscard]] std::size_t out() const noexcept { return out_; }

 protected:
  void release(packet::BufferSlot* slot) noexcept override {
    --out_;
    free_.push_back(slot);
  }

 private:
  struct Owned {
    packet::BufferSlot slot;
    std::unique_ptr<std::byte[]> memory;
  };
  void add_slot() {
    auto owned = std::make_unique<Owned>();
    owned->memory = std::make_unique<std::byte[]>(packet::kHeadroomBytes + bytes_ + packet::kTailroomBytes);
    owned->slot = {this, owned->memory.get() + packet::kHeadroomBytes, static_cast<std::uint32_t>(bytes_)};
    free_.push_back(&owned->slot);
    owned_.push_back(std::move(owned));
  }

  std::size_t bytes_;
  std::size_t limit_;
  std::size_t out_ = 0;
  std::vector<packet::BufferSlot*> free_;
  std::vector<std::unique_ptr<Owned>> owned_;
};

}  // namespace fireline::sim
