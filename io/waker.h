// Wakes one sleeping thread. The rule that loses no wake-up: the consumer announces sleep, looks at its queues again,
// then sleeps; the producer pushes, then looks whether the consumer sleeps. Both steps are read-modify-writes of one
// flag, so that whichever comes second sees what the other did before.
//
// Lifetime: must outlive every thread that calls wake(). Threads: wake() from any; the rest from the consumer alone.
#pragma once
#include <atomic>

#include "io/file_descriptor.h"

namespace fireline::io {

class Waker {
 public:
  // Throws std::system_error when the process is out of descriptors (start-up only).
  Waker();

  // Call after whatever the consumer should find has been published.
  void wake() noexcept {
    if (sleeping_.exchange(false, std::memory_order_acq_rel)) signal();
  }

  // Consumer: look at every queue again after this call, and sleep on fd() only if all were empty.
  void announce_sleep() noexcept { sleeping_.exchange(true, std::memory_order_acq_rel); }
  // Consumer: back from sleep, or sleep called off. `readable`: fd() was found so.
  void awake(bool readable) noexcept;

  [[nodiscard]] int fd() const noexcept { return event_.get(); }

 private:
  void signal() noexcept;

  FileDescriptor event_;
  std::atomic<bool> sleeping_{false};
};

}  // namespace fireline::io
