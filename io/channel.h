// A bounded lock-free channel of batches between two threads. Its `length` batches are made once and go round: the
// producer claims an empty one, fills it and publishes it; the consumer takes it, works it off and gives it back.
// Nobody waits on a push: claim() answers null while all batches are with the consumer, the producer then stops polling
// its source, and give_back() wakes it.
//
// Lifetime: both wakers must outlive the channel. Threads: one producer, one consumer; gauges from any.
#pragma once
#include <readerwriterqueue/readerwriterqueue.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "core/base/counters.h"
#include "io/waker.h"

namespace fireline::io {

template <class Batch>
class Channel {
 public:
  Channel(std::size_t length, Waker& producer, Waker& consumer)
      : empty_(length), full_(length), producer_(&producer), consumer_(&consumer), length_(length) {
    batches_.reserve(length);
    for (std::size_t i = 0; i < length; ++i) {
      batches_.push_back(std::make_unique<Batch>());
      empty_.try_enqueue(batches_.back().get());
    }
  }

  // Producer: an empty batch to fill, or null; after null the producer's waker fires when there is one.
  // The same batch is answered until it is published.
  [[nodiscard]] Batch* claim() noexcept {
    if (claimed_ != nullptr || empty_.try_dequeue(claimed_)) return claimed_;
    // Announce, then look again: give_back() may have come in between.
    producer_waits_.exchange(true, std::memory_order_acq_rel);
    if (empty_.try_dequeue(claimed_)) return claimed_;
    return claimed_ = nullptr;
  }

  // Producer: hands the claimed batch over and wakes the consumer.
  void publish() noexcept {
    published_.add();
    full_.try_enqueue(claimed_);  // cannot fail: there are never more than `length` batches
    claimed_ = nullptr;
    consumer_->wake();
  }

  // Consumer: the oldest published batch, or null.
  [[nodiscard]] Batch* take() noexcept {
    Batch* batch = nullptr;
    full_.try_dequeue(batch);
    return batch;
  }

  // Consumer: clears the batch (which returns its buffers) and lets the producer claim it again.
  void give_back(Batch* batch) noexcept {
    batch->clear();
    empty_.try_enqueue(batch);
    given_back_.store(given_back_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    if (producer_waits_.exchange(false, std::memory_order_acq_rel)) producer_->wake();
  }

  // Producer: nothing is queued and the consumer holds nothing, so that writing directly keeps the order.
  [[nodiscard]] bool idle() const noexcept { return published_.get() == given_back_.load(std::memory_order_acquire); }

  // Batches published and not yet given back; a gauge.
  [[nodiscard]] std::size_t depth() const noexcept {
    const auto back = given_back_.load(std::memory_order_acquire);
    const auto out = published_.get();
    return out > back ? static_cast<std::size_t>(out - back) : 0;
  }
  [[nodiscard]] std::size_t length() const noexcept { return length_; }

  // Either side, with both threads joined: drops what is queued.
  void drain() noexcept {
    while (Batch* batch = take()) give_back(batch);
  }

 private:
  std::vector<std::unique_ptr<Batch>> batches_;
  moodycamel::ReaderWriterQueue<Batch*> empty_;  // consumer to producer
  moodycamel::ReaderWriterQueue<Batch*> full_;   // producer to consumer
  Waker* producer_;
  Waker* consumer_;
  std::size_t length_;
  Batch* claimed_ = nullptr;                                           // producer's
  alignas(kCacheLineBytes) Counter published_;                         // producer's
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> given_back_{0};  // consumer's; release: orders its writes before
  std::atomic<bool> producer_waits_{false};
};

}  // namespace fireline::io
