// A cipher helper's station: runs the tasks that the packet thread puts into its queue, unless somebody else has run
// them, and wakes the packet thread with the last one of each work.
//
// Lifetime: wakers and tasks outlive the running thread. What is queued when the thread stops stays queued, and on
// offer to everybody. Threads: push() and wake() on the packet thread, the rest on the helper's own.
// Limit: kHelperTasksMax queued; what does not fit stays with the packet thread.
#pragma once
#include <readerwriterqueue/readerwriterqueue.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "io/cipher_task.h"
#include "io/station.h"
#include "io/waker.h"

namespace fireline::io {

// Helpers of a data plane: more than this, and planning and committing are all that takes time.
inline constexpr unsigned kCipherThreadsMax = 8;

class CipherHelper final : public Station {
 public:
  static constexpr std::size_t kHelperTasksMax = 63;  // two works' tasks: the ring has a power of two, less one

  CipherHelper(std::unique_ptr<crypto::Aead> aead, Waker& own, Waker& packet_thread)
      : aead_(std::move(aead)), own_(&own), packet_thread_(&packet_thread), queue_(kHelperTasksMax) {}

  // False when the queue is full.
  bool push(CipherTask& task) noexcept { return queue_.try_enqueue(&task); }
  // After the pushes of a work.
  void wake() noexcept { own_->wake(); }

  bool turn(Now now) override;
  void arm(PollSet&) override {}  // wake() is all that gives it work

 private:
  std::unique_ptr<crypto::Aead> aead_;
  Waker* own_;
  Waker* packet_thread_;
  moodycamel::ReaderWriterQueue<CipherTask*> queue_;
};

// One cipher of the same kind for each of `count` helpers.
[[nodiscard]] std::vector<std::unique_ptr<crypto::Aead>> make_helper_aeads(crypto::AeadBackend backend, unsigned count);

}  // namespace fireline::io
