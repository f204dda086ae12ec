#include "io/udp_ring_socket.h"

#include <utility>

namespace fireline::io {

Result<std::unique_ptr<UdpRingSocket>, IoError> UdpRingSocket::open(BoundUdp& bound) {
  auto receive_ring = ReceiveRing::open(bound.fd.get());
  if (!receive_ring.has_value()) return err(std::move(receive_ring.error()));
  auto send_ring = SendRing::open();
  if (!send_ring.has_value()) return err(std::move(send_ring.error()));
  return std::unique_ptr<UdpRingSocket>(
      new UdpRingSocket(std::move(bound), std::move(*receive_ring), std::move(*send_ring)));
}

UdpRingSocket::UdpRingSocket(BoundUdp bound, std::unique_ptr<ReceiveRing> receive_ring,
                             std::unique_ptr<SendRing> send_ring)
    : SocketPort("io_uring", std::move(bound), *send_ring, SendRing::kChainMessages),
      send_ring_(std::move(send_ring)),
      receive_ring_(std::move(receive_ring)) {}

IoStatus UdpRingSocket::receive(packet::UdpBatch& batch, packet::BufferSource& large) {
  return receive_ring_->receive(batch, large, intake());
}

}  // namespace fireline::io
