// The plain-system-call backend of UdpPort: recvmsg and sendmsg with UDP_GRO and UDP_SEGMENT.
// Threads as in io/udp_port.h. The object must outlive both threads.
//
// Receiving: io/datagram_receiver.h. Sending: io/datagram_sender.h.
#pragma once
#include <memory>

#include "core/base/result.h"
#include "io/datagram_receiver.h"
#include "io/socket_port.h"
#include "io/syscalls.h"
#include "io/udp_bind.h"

namespace fireline::io {

class UdpSocket final : public SocketPort {
 public:
  // In the calling thread's network namespace. Errors name port and family; EADDRINUSE, EAFNOSUPPORT (no IPv6 on this
  // host) and EPERM (fwmark) are the usual ones. `syscalls` must outlive the socket.
  [[nodiscard]] static Result<std::unique_ptr<UdpSocket>, IoError> open(const UdpOptions& options,
                                                                        UdpSyscalls& syscalls = kernel_udp_syscalls());
  explicit UdpSocket(BoundUdp bound, UdpSyscalls& syscalls = kernel_udp_syscalls());

  [[nodiscard]] IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large) override {
    return receiver_.receive(batch, large);
  }
  [[nodiscard]] int poll_fd() const noexcept override { return send_fd(); }

 private:
  DatagramReceiver receiver_;
};

}  // namespace fireline::io
