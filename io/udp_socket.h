// The plain-system-call backend of UdpPort: recvmsg and sendmsg with UDP_GRO and UDP_SEGMENT.
// Threads as in io/udp_port.h. The object must outlive both threads.
//
// Receiving takes one GRO datagram per call into a large buffer. What is no longer than kCopyBreakBytes is copied
// behind the small ones before it, so that a small datagram does not pin 64 KiB; order is kept. Each datagram has at
// least 16 writable bytes before and behind it (a datagram cut out of a GRO train has its neighbours there).
// Sending makes one call per train, or one per chunk of kTrainSegments; io/gso_policy.h remembers who refuses that.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "core/base/result.h"
#include "io/file_descriptor.h"
#include "io/gso_policy.h"
#include "io/syscalls.h"
#include "io/udp_port.h"

namespace fireline::io {

// 10 Gbit/s for 10 ms of stalled reader and 1 ms of stalled wire, rounded up to powers of two. The kernel is asked
// for less, by halves, until it accepts.
inline constexpr std::size_t kUdpReceiveBufferBytes = std::size_t{16} << 20;
inline constexpr std::size_t kUdpSendBufferBytes = std::size_t{2} << 20;
inline constexpr std::size_t kUdpBufferBytesMin = std::size_t{64} << 10;

enum class PathMtu : std::uint8_t {
  kernel_default,  // the kernel fragments what exceeds a path's known MTU, as WireGuard expects
  probe,           // DF always set, never fragmented (IP_PMTUDISC_PROBE, IPV6_DONTFRAG): who measures the path itself
};

struct UdpOptions {
  Family family = Family::v4;
  std::uint16_t port = 0;  // 0: the kernel chooses
  // Unspecified: every local address. Of the same family otherwise.
  std::optional<IpAddress> address;
  std::uint32_t fwmark = 0;  // 0: none
  PathMtu path_mtu = PathMtu::kernel_default;
  std::size_t receive_buffer_bytes = kUdpReceiveBufferBytes;
  std::size_t send_buffer_bytes = kUdpSendBufferBytes;
  bool gso = true;  // false: every datagram is sent singly
  bool gro = true;
};

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
  [[nodiscard]] const Counters<UdpSendCounter>& send_counters() const noexcept override { return sent_; }
  [[nodiscard]] UdpStatus status() const override;

 private:
  UdpSocket(FileDescriptor fd, Family family, std::uint16_t port, bool gro, const UdpOptions& options,
            UdpSyscalls& syscalls);

  FileDescriptor fd_;
  Family family_;
  std::uint16_t port_;
  bool gro_;
  UdpSyscalls& syscalls_;

  // Receiving thread.
  Counters<UdpReceiveCounter> received_;
  std::uint32_t kernel_drops_seen_ = 0;  // the kernel's cumulative 32-bit count

  // Sending thread.
  Counters<UdpSendCounter> sent_;
  GsoPolicy gso_;
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
