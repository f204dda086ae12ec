// A pool of equal buffers, limited in bytes. The owner thread takes from and gives back to a LIFO stack, so that the
// few buffers in use stay in its cache; other threads give back through a lock-free queue that the owner empties when
// its stack is empty. Slots are made on demand up to the limit and kept until the pool goes.
//
// Lifetime: must outlive every buffer that it gave out; the destructor aborts otherwise.
// Threads: acquire() and adopt() are the owner's; buffers may be dropped anywhere; gauges from any thread.
#pragma once
#include <concurrentqueue/concurrentqueue.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/counters.h"
#include "core/packet/buffer.h"
#include "io/waker.h"

namespace fireline::io {

class BufferPool final : public packet::BufferSource {
 public:
  // `limit_bytes` is rounded up to whole buffers of `buffer_bytes`.
  BufferPool(std::string name, std::size_t buffer_bytes, std::size_t limit_bytes);
  ~BufferPool() override;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // Makes the calling thread the owner. `waker` is woken when a buffer comes back to an exhausted pool.
  void adopt(Waker* waker) noexcept;

  [[nodiscard]] packet::Buffer acquire() noexcept override;
  [[nodiscard]] std::size_t buffer_bytes() const noexcept override { return buffer_bytes_; }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // Gauges: buffers with somebody, buffers made, and how often acquire() found none.
  [[nodiscard]] std::size_t out() const noexcept;
  [[nodiscard]] std::size_t made() const noexcept { return static_cast<std::size_t>(made_.get()); }
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  [[nodiscard]] std::uint64_t exhausted() const noexcept { return exhausted_.get(); }

 protected:
  void release(packet::BufferSlot* slot) noexcept override;

 private:
  struct Slab;
  [[nodiscard]] packet::BufferSlot* make_slot() noexcept;
  [[nodiscard]] bool owned_by_caller() const noexcept;

  std::string name_;
  std::size_t buffer_bytes_;
  std::size_t limit_;
  std::vector<std::unique_ptr<Slab>> slabs_;
  std::vector<packet::BufferSlot*> stack_;
  moodycamel::ConcurrentQueue<packet::BufferSlot*> returned_;
  std::atomic<std::uint64_t> owner_{0};  // a thread's number; 0: nobody yet
  std::atomic<Waker*> waker_{nullptr};
  std::atomic<bool> starving_{false};
  Counter made_;
  Counter acquired_;
  Counter released_here_;
  Counter exhausted_;
  std::atomic<std::uint64_t> released_elsewhere_{0};
};

}  // namespace fireline::io
