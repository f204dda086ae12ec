// Blocks every signal of the calling thread for as long as it lives: a thread that is started meanwhile inherits that,
// so that signals stay the control thread's. Also where the thread cannot be started, which std::thread throws.
#pragma once
#include <signal.h>

namespace fireline::io {

class BlockedSignals {
 public:
  BlockedSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace fireline::io
