// Opens UDP sockets with the backend that the options ask for. Where io_uring is asked for and not to be had (the
// kernel has none, kernel.io_uring_disabled, a seccomp profile), the plain backend stands in and one log line of the
// process says why.
// No state but that; any thread; works in the calling thread's network namespace.
#pragma once
#include <memory>

#include "core/base/result.h"
#include "io/io_error.h"
#include "io/udp_bind.h"
#include "io/udp_port.h"

namespace fireline::io {

// Errors name port and family; EADDRINUSE, EAFNOSUPPORT (no IPv6 on this host) and EPERM (fwmark) are the usual ones.
[[nodiscard]] Result<std::unique_ptr<UdpPort>, IoError> open_udp(const UdpOptions& options);

// A socket of each family on one port, as WireGuard has them. `v6` is empty where the host has no IPv6, and `v4` where
// it has no IPv4; both missing is an error. Port 0 gives both the same port.
struct UdpPortPair {
  std::unique_ptr<UdpPort> v4;
  std::unique_ptr<UdpPort> v6;
};
[[nodiscard]] Result<UdpPortPair, IoError> open_udp_pair(const UdpOptions& options);

}  // namespace fireline::io
