// Signals that an event loop will receive (io/event_loop.h watch_signals): blocked before any thread starts, for a
// signal that one thread does not block ends the process without cleaning up. SIGPIPE is ignored: writes tell by errno.
#pragma once
#include <pthread.h>

#include <csignal>
#include <initializer_list>

namespace fireline {

inline void block_signals(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace fireline
