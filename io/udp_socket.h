// The plain-system-call backend of UdpPort: recvmsg and sendmsg with UDP_GRO and UDP_SEGMENT.
// Threads as in io/udp_port.h. The object must outlive both threads.
//
// Receiving takes one GRO datagram per call into a large buffer. What is no longer than kCopyBreakBytes is copied
// behind the small ones before it, so that a small datagram does not pin 64 KiB; order is kept. Each datagram has at
// least 16 writable bytes before and behind it (a datagram cut out of a GRO train has its neighbours there).
// Sending: io/datagram_sender.h.
#pragma once
#include <cstdint>
#include <memory>

#include "core/base/result.h"
#include "io/socket_port.h"
#include "io/syscalls.h"
#include "io/udp_bind.h"

namespace fireline::io {

class ReceiveArena;
enum class ReadCall : std::uint8_t;

class UdpSocket final : public SocketPort {
 public:
  // In the calling thread's network namespace. Errors name port and family; EADDRINUSE, EAFNOSUPPORT (no IPv6 on this
  // host) and EPERM (fwmark) are the usual ones. `syscalls` must outlive the socket.
  [[nodiscard]] static Result<std::unique_ptr<UdpSocket>, IoError> open(const UdpOptions& options,
                                                                        UdpSyscalls& syscalls = kernel_udp_syscalls());
  explicit UdpSocket(BoundUdp bound, UdpSyscalls& syscalls = kernel_udp_syscalls());

  [[nodiscard]] IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large) override;
  [[nodiscard]] int poll_fd() const noexcept override { return send_fd(); }

 private:
  [[nodiscard]] ReadCall receive_datagram(ReceiveArena& arena, packet::UdpBatch& batch);

  UdpSyscalls& syscalls_;
};

}  // namespace fireline::io
