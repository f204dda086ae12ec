// A tunnel as a program begins and ends it, whatever its engine is. Tunnel (tunnel.h) is one. Threads: the control
// thread's.
#pragma once

namespace fireline::tunnel {

class TunnelLife {
 public:
  virtual ~TunnelLife() = default;

  virtual void start() = 0;
  // The machine slept: relays and paths are asked at once.
  virtual void resume() = 0;
  // A goodbye to each peer.
  virtual void close_all() = 0;
  // Everything that the engine wanted sent is with the kernel. Once the tunnel was started.
  [[nodiscard]] virtual bool sent_all() = 0;
};

}  // namespace fireline::tunnel
