#include "io/udp_socket.h"

#include <utility>

namespace fireline::io {

Result<std::unique_ptr<UdpSocket>, IoError> UdpSocket::open(const UdpOptions& options, UdpSyscalls& syscalls) {
  auto bound = bind_udp(options);
  if (!bound.has_value()) return err(std::move(bound.error()));
  return std::make_unique<UdpSocket>(std::move(*bound), syscalls);
}

UdpSocket::UdpSocket(BoundUdp bound, UdpSyscalls& syscalls)
    : SocketPort("syscall", std::move(bound), syscalls, 1), receiver_(send_fd(), syscalls, intake()) {}

}  // namespace fireline::io
