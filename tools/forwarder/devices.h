// Opens the two descriptors of the forwarder. Each throws std::runtime_error with one sentence for the person.
#pragma once
#include <cstddef>
#include <string>

#include "core/base/endpoint.h"

namespace fireline::forwarder {

struct Tun {
  int descriptor = -1;
  bool udp_offload = false;  // the kernel has USO (Linux 6.2)
};

// A non-blocking TUN device with virtio_net_hdr, TSO for both families and, where the kernel has it, USO. Its segment
// limit is lowered so that a super-packet fits into one GSO send. The interface is up when this returns.
[[nodiscard]] Tun open_tun(const std::string& name, std::size_t mtu, bool udp_offload);

// A non-blocking UDP socket with GRO, bound to `listen` and connected to `peer`.
[[nodiscard]] int open_udp(const Endpoint& listen, const Endpoint& peer);

}  // namespace fireline::forwarder
