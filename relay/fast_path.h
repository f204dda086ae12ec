// Where the loop puts the channels that need not pass through user space. Implemented by the XDP program's loader
// (tools/relay/xdp_path.h) and by tests; without one every channel stays in user space.
// Threads: the loop's. None of the calls blocks for longer than a system call.
#pragma once
#include <cstdint>

#include "relay/protocol/host.h"

namespace fireline::relay {

class FastPath {
 public:
  virtual ~FastPath() = default;
  // As Host's.
  [[nodiscard]] virtual Host::Offload offload(const ChannelBinding& binding) = 0;
  virtual void prolong(const ChannelBinding& binding) = 0;
  virtual void withdraw(const ChannelBinding& binding) = 0;
  // The sockets of that port are bound; they are about to be closed.
  virtual void port_opened(std::uint16_t port) = 0;
  virtual void port_closed(std::uint16_t port) = 0;
};

}  // namespace fireline::relay
