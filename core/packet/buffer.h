// Pooled packet memory. A Buffer is a move-only handle to one slot of a pool; dropping it gives the slot back.
// Memory of a slot: [64 bytes headroom | capacity | 64 bytes tailroom]; data() points behind the headroom.
//
// Lifetime: the BufferSource must outlive every Buffer it gave out.
// Threads: a Buffer belongs to one thread at a time and may be dropped on any thread; acquire() is for the source's
// owner thread alone.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "core/base/wire.h"

namespace fireline::packet {

inline constexpr std::size_t kHeadroomBytes = 64;  // virtio-net header, channel-data and WireGuard headers
inline constexpr std::size_t kTailroomBytes = 64;  // AEAD tag and padding

// The two classes. Large: one UDP GSO/GRO datagram or one TUN super-packet with its virtio-net header.
inline constexpr std::size_t kLargeBufferBytes = 65536 + 256;
inline constexpr std::size_t kSmallBufferBytes = 2048;

class BufferSource;

struct BufferSlot {
  BufferSource* source = nullptr;
  std::byte* data = nullptr;  // behind the headroom
  std::uint32_t capacity = 0;
};

class Buffer {
 public:
  Buffer() noexcept = default;
  explicit Buffer(BufferSlot* slot) noexcept : slot_(slot) {}
  Buffer(Buffer&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
  }
  ~Buffer() { reset(); }

  explicit operator bool() const noexcept { return slot_ != nullptr; }
  // Without head- and tailroom.
  [[nodiscard]] std::byte* data() const noexcept { return slot_->data; }
  [[nodiscard]] std::size_t capacity() const noexcept { return slot_->capacity; }
  [[nodiscard]] Bytes bytes() const noexcept { return {slot_->data, slot_->capacity}; }
  inline void reset() noexcept;

 private:
  BufferSlot* slot_ = nullptr;
};

class BufferSource {
 public:
  virtual ~BufferSource() = default;
  // An empty handle when the pool's limit is reached; the caller counts it or waits. Contents are unspecified.
  [[nodiscard]] virtual Buffer acquire() noexcept = 0;
  // Usable bytes of each buffer.
  [[nodiscard]] virtual std::size_t buffer_bytes() const noexcept = 0;

 protected:
  friend class Buffer;
  virtual void release(BufferSlot* slot) noexcept = 0;
};

inline void Buffer::reset() noexcept {
  if (slot_ != nullptr) {
    BufferSlot* slot = std::exchange(slot_, nullptr);
    slot->source->release(slot);
  }
}

}  // namespace fireline::packet
