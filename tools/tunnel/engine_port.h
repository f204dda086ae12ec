// An engine as the reactions of a program see it: commands that run where the engine lives. Tunnel (tunnel.h) is one,
// tests have another without threads. Threads: the control thread's.
#pragma once
#include <functional>
#include <string>

#include "core/base/time.h"
#include "core/packet/engine.h"

namespace fireline::tunnel {

template <class Core>
class EnginePort {
 public:
  using Command = std::function<void(Core&, Now, packet::Output&)>;
  virtual ~EnginePort() = default;

  // Runs the command and waits for it.
  virtual void run(const Command& command) = 0;
  // As run(); events that were not handled yet, and those that the command leads to at once, are forgotten.
  virtual void run_and_forget_events(const Command& command) = 0;
  // Calls the handler for all events that are there.
  virtual void handle_events() = 0;
  // Closes the sockets and opens new ones. Empty, or the sentence that says why there are none.
  [[nodiscard]] virtual std::string rebind() = 0;
};

}  // namespace fireline::tunnel
