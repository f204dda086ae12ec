// Where the packet thread puts what a turn produced for one device. It writes at once itself (`direct`), or hands the
// batch to the writer's station: always (`split`), or after EAGAIN and while that station still has earlier batches,
// so that order is kept. A batch is never lost: a caller works only while it is ready().
//
// Threads: Outbox is the packet thread's, WriterStation the writing thread's; the channel joins them.
#pragma once
#include <cstdlib>
#include <utility>

#include "core/base/time.h"
#include "io/channel.h"
#include "io/device_writer.h"
#include "io/station.h"

namespace fireline::io {

// A batch on its way to a device, and how far it got.
template <class Batch, class Cursor>
struct Outgoing {
  Batch batch;
  Cursor cursor;

  void clear() noexcept {
    batch.clear();
    cursor = {};
  }
};

template <class Batch, class Cursor>
class Outbox {
 public:
  using Item = Outgoing<Batch, Cursor>;

  Outbox(DeviceWriter<Batch, Cursor>& writer, Channel<Item>& channel, bool direct)
      : writer_(&writer), channel_(&channel), direct_(direct) {}

  // Room for one batch. After false, the packet thread's waker fires when there is some.
  [[nodiscard]] bool ready() noexcept { return channel_->claim() != nullptr; }

  // Takes the contents of `batch` and leaves it empty. Call only when ready().
  void submit(Batch& batch, Now now) noexcept {
    if (batch.empty()) return;
    Cursor cursor{};
    if (direct_ && channel_->idle() && writer_->write(batch, cursor, now) == WriteStatus::done) {
      batch.clear();
      return;
    }
    Item* item = channel_->claim();
    if (item == nullptr) std::abort();  // the caller did not ask ready()
    std::swap(item->batch, batch);
    item->cursor = cursor;
    channel_->publish();
  }

 private:
  DeviceWriter<Batch, Cursor>* writer_;
  Channel<Item>* channel_;
  bool direct_;
};

template <class Batch, class Cursor>
class WriterStation final : public Station {
 public:
  using Item = Outgoing<Batch, Cursor>;

  WriterStation(DeviceWriter<Batch, Cursor>& writer, Channel<Item>& channel) : writer_(&writer), channel_(&channel) {}

  bool turn(Now now) override {
    if (current_ == nullptr) current_ = channel_->take();
    if (current_ == nullptr || !may_try(now)) return false;
    status_ = writer_->write(current_->batch, current_->cursor, now);
    if (status_ != WriteStatus::done) {
      writable_ = false;
      retry_at_ = now.boot + kRetryInterval;
      return false;
    }
    channel_->give_back(std::exchange(current_, nullptr));
    return true;
  }

  void arm(PollSet& set) override {
    if (current_ == nullptr) return;
    if (status_ == WriteStatus::blocked) set.add(writer_->write_fd(), POLLOUT, &writable_);
    // Without readiness to wait for (ENOBUFS), and as a net below it.
    set.add_deadline(retry_at_);
  }

 private:
  // Long against a device's own queue (some 10 µs), short against a retransmission timer.
  static constexpr Duration kRetryInterval = std::chrono::milliseconds(1);

  [[nodiscard]] bool may_try(Now now) const noexcept {
    return status_ == WriteStatus::done || writable_ || now.boot >= retry_at_;
  }

  DeviceWriter<Batch, Cursor>* writer_;
  Channel<Item>* channel_;
  Item* current_ = nullptr;
  WriteStatus status_ = WriteStatus::done;
  bool writable_ = false;
  Instant retry_at_{};
};

}  // namespace fireline::io
