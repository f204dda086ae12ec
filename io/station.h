// A station is one piece of work of the data plane (reads a socket, runs the engine, writes the TUN). A LoopThread
// runs one or several of them; which thread runs which station is wiring, so that the same stations serve every thread
// mode.
//
// A station never blocks: turn() does a bounded amount of work and says whether it did any; arm() says what would give
// it more. Threads: both are called by the thread that runs the station.
#pragma once
#include "core/base/time.h"
#include "io/poll_set.h"

namespace fireline::io {

class Station {
 public:
  virtual ~Station() = default;
  // The thread that will run the station has started: adopt pools here.
  virtual void enter() {}
  // That thread is about to end; it, or another, may enter() again.
  virtual void leave() {}
  // Does at most one batch of each kind of work. True when there was any.
  [[nodiscard]] virtual bool turn(Now now) = 0;
  // Called when turn() had nothing to do, before the thread sleeps, and once in a while when others have work on end.
  virtual void arm(PollSet& set) = 0;
};

}  // namespace fireline::io
