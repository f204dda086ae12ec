// How large the host's own super-packets into a TUN device may be. One with as many segments as one UDP train carries
// is one read and one send; one that is a little larger would leave in two sends. Only local senders keep to such a
// limit: what the host forwards would be cut into single packets by the kernel, so a host that forwards goes without.
//
// Lifetime: the device outlives it. Threads: one. A kernel that refuses is told of in the log, at debug level.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace fireline {

class SuperPacketLimit {
 public:
  // `overhead_bytes`: what a datagram has beside the packet.
  SuperPacketLimit(std::string interface_name, int interface_index, std::size_t overhead_bytes);

  // Forwarding may have been switched, the MTU changed: to be called at the start and from time to time.
  void fit(std::size_t mtu);

 private:
  std::string name_;
  int index_;
  std::size_t overhead_bytes_;
  std::uint32_t segments_;
};

}  // namespace fireline
