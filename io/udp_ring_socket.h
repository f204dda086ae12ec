// The io_uring backend of UdpPort: multishot recvmsg into provided buffers (io/receive_ring.h) and linked sendmsg
// (io/send_ring.h), with UDP_GRO and UDP_SEGMENT as the plain one has them. A ring for each direction, because each
// belongs to another thread.
// Threads as in io/udp_port.h. The object must outlive both threads; when it goes, nothing of it is left in the kernel.
#pragma once
#include <memory>

#include "core/base/result.h"
#include "io/receive_ring.h"
#include "io/send_ring.h"
#include "io/socket_port.h"
#include "io/udp_bind.h"

namespace fireline::io {

class UdpRingSocket final : public SocketPort {
 public:
  // Takes `bound`, unless this process cannot have what it needs of io_uring: then `bound` stays as it is. Errors as
  // ReceiveRing::open.
  [[nodiscard]] static Result<std::unique_ptr<UdpRingSocket>, IoError> open(BoundUdp& bound);

  [[nodiscard]] IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large) override;
  void stop_receiving() noexcept override { receive_ring_->stop(); }
  [[nodiscard]] int poll_fd() const noexcept override { return receive_ring_->poll_fd(); }

 private:
  UdpRingSocket(BoundUdp bound, std::unique_ptr<ReceiveRing> receive_ring, std::unique_ptr<SendRing> send_ring);

  // Go before the socket does.
  std::unique_ptr<SendRing> send_ring_;
  std::unique_ptr<ReceiveRing> receive_ring_;
};

}  // namespace fireline::io
