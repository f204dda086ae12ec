#include "io/pool.h"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace fireline::io {
namespace {

constexpr std::size_t kAlignment = 64;

// Names the thread without a system call, and never another one: ids and addresses of thread-local variables go to the
// next thread when the owner has ended.
std::uint64_t this_thread() noexcept {
  static std::atomic<std::uint64_t> last{0};
  static thread_local const std::uint64_t number = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return number;
}

}  // namespace

struct BufferPool::Slab {
  explicit Slab(std::size_t bytes)
      : memory(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kAlignment}))) {}
  ~Slab() { ::operator delete(memory, std::align_val_t{kAlignment}); }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  std::byte* memory;
  packet::BufferSlot slot;
};

BufferPool::BufferPool(std::string name, std::size_t buffer_bytes, std::size_t limit_bytes)
    : name_(std::move(name)),
      buffer_bytes_(buffer_bytes),
      limit_((limit_bytes + buffer_bytes - 1) / buffer_bytes),
      returned_(limit_) {
  slabs_.reserve(limit_);
  stack_.reserve(limit_);
}

BufferPool::~BufferPool() {
  if (out() == 0) return;
  std::fprintf(stderr, "buffer pool %s dropped with %zu buffers out\n", name_.c_str(), out());
  std::abort();
}

void BufferPool::adopt(Waker* waker) noexcept {
  waker_.store(waker, std::memory_order_release);
  owner_.store(this_thread(), std::memory_order_release);
}

packet::Buffer BufferPool::acquire() noexcept {
  if (stack_.empty()) {
    // Several at a time: one visit to the shared queue serves the next acquisitions too.
    packet::BufferSlot* slots[16];
    const auto count = returned_.try_dequeue_bulk(slots, std::size(slots));
    stack_.insert(stack_.end(), slots, slots + count);
  }
  packet::BufferSlot* slot = nullptr;
  if (!stack_.empty()) {
    slot = stack_.back();
    stack_.pop_back();
  } else {
    slot = make_slot();
  }
  if (slot == nullptr) {
    // Announce, then look again: a buffer may have come back in between.
    starving_.exchange(true, std::memory_order_acq_rel);
    if (!returned_.try_dequeue(slot)) {
      exhausted_.add();
      return {};
    }
  }
  acquired_.add();
  return packet::Buffer(slot);
}

std::size_t BufferPool::out() const noexcept {
  const auto back = released_here_.get() + released_elsewhere_.load(std::memory_order_acquire);
  const auto taken = acquired_.get();
  return taken > back ? static_cast<std::size_t>(taken - back) : 0;
}

void BufferPool::release(packet::BufferSlot* slot) noexcept {
  if (owned_by_caller()) {
    stack_.push_back(slot);  // reserved for the limit: never allocates
    released_here_.add();
    return;
  }
  returned_.enqueue(slot);
  released_elsewhere_.fetch_add(1, std::memory_order_acq_rel);
  if (starving_.exchange(false, std::memory_order_acq_rel)) {
    if (Waker* waker = waker_.load(std::memory_order_acquire)) waker->wake();
  }
}

packet::BufferSlot* BufferPool::make_slot() noexcept {
  if (slabs_.size() >= limit_) return nullptr;
  auto slab = std::make_unique<Slab>(packet::kHeadroomBytes + buffer_bytes_ + packet::kTailroomBytes);
  slab->slot = {this, slab->memory + packet::kHeadroomBytes, static_cast<std::uint32_t>(buffer_bytes_)};
  slabs_.push_back(std::move(slab));
  made_.add();
  return &slabs_.back()->slot;
}

bool BufferPool::owned_by_caller() const noexcept {
  return owner_.load(std::memory_order_acquire) == this_thread();
}

}  // namespace fireline::io
