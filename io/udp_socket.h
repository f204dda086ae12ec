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
#include <optional>

#include "core/base/result.h"
#include "io/datagram_sender.h"
#include "io/syscalls.h"
#include "io/udp_bind.h"
#include "io/udp_port.h"

namespace fireline::io {

class ReceiveArena;
enum class ReadCall : std::uint8_t;

class UdpSocket final : public UdpPort {
 public:
  // In the calling thread's network namespace. Errors name port and family; EADDRINUSE, EAFNOSUPPORT (no IPv6 on this
  // host) and EPERM (fwmark) are the usual ones. `syscalls` must outlive the socket.
  [[nodiscard]] static Result<std::unique_ptr<UdpSocket>, IoError> open(const UdpOptions& options,
                                                                        UdpSyscalls& syscalls = kernel_udp_syscalls());

  [[nodiscard]] IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large) override;
  [[nodiscard]] IoStatus send(const packet::UdpSendBatch& batch, SendCursor& cursor, Instant now) override;

  [[nodiscard]] int poll_fd() const noexcept override { return fd_.get(); }
  [[nodiscard]] Family family() const noexcept override { return family_; }
  [[nodiscard]] std::uint16_t port() const noexcept override { return port_; }
  [[nodiscard]] std::optional<IoError> set_fwmark(std::uint32_t mark) noexcept override;
  [[nodiscard]] const Counters<UdpReceiveCounter>& receive_counters() const noexcept override { return received_; }
  [[nodiscard]] const Counters<UdpSendCounter>& send_counters() const noexcept override { return sender_.counters(); }
  [[nodiscard]] UdpStatus status() const override;

 private:
  UdpSocket(BoundUdp bound, const UdpOptions& options, UdpSyscalls& syscalls) noexcept;

  [[nodiscard]] ReadCall receive_datagram(ReceiveArena& arena, packet::UdpBatch& batch);
  void take_datagram(const msghdr& message, std::size_t length, ReceiveArena& arena, packet::UdpBatch& batch);
  void note_kernel_drops(std::uint32_t cumulative) noexcept;

  FileDescriptor fd_;
  Family family_;
  std::uint16_t port_;
  bool gro_;
  UdpSyscalls& syscalls_;

  // Receiving thread.
  Counters<UdpReceiveCounter> received_;
  std::uint32_t kernel_drops_seen_ = 0;

  // Sending thread.
  DatagramSender sender_;
};

// A socket of each family on one port, as WireGuard has them. `v6` is empty where the host has no IPv6, and `v4` where
// it has no IPv4; both missing is an error. Port 0 gives both the same port.
struct UdpSocketPair {
  std::unique_ptr<UdpSocket> v4;
  std::unique_ptr<UdpSocket> v6;
};
[[nodiscard]] Result<UdpSocketPair, IoError> open_udp_pair(const UdpOptions& options,
                                                           UdpSyscalls& syscalls = kernel_udp_syscalls());

}  // namespace fireline::io
