#include "io/socket_port.h"

#include <utility>

namespace fireline::io {

SocketPort::SocketPort(std::string_view backend, BoundUdp bound, UdpSyscalls& syscalls, std::size_t chain_messages)
    : backend_(backend),
      fd_(std::move(bound.fd)),
      family_(bound.family),
      port_(bound.port),
      gro_(bound.gro),
      intake_(bound.family),
      sender_(fd_.get(), bound.family, bound.gso ? packet::kTrainSegments : 1, syscalls, chain_messages) {}

UdpStatus SocketPort::status() const {
  const GsoPolicy& gso = sender_.gso();
  return UdpStatus{.backend = backend_,
                   .family = family_,
                   .port = port_,
                   .gro = gro_,
                   .gso = gso.segments_max() > 1 && gso.enabled(),
                   .gso_errno = gso.last_errno(),
                   .gso_refused_paths = gso.refused_paths(),
                   .gso_segments_max = gso.segments_max(),
                   .receive_buffer_bytes = receive_buffer_bytes(fd_.get()),
                   .send_buffer_bytes = send_buffer_bytes(fd_.get()),
                   .kernel_drops = socket_drops(fd_.get())};
}

}  // namespace fireline::io
