// Opens and configures the UDP socket under every backend of UdpPort.
// No state; any thread; works in the calling thread's network namespace.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "io/file_descriptor.h"
#include "io/io_error.h"
#include "io/udp_io.h"

namespace fireline::io {

// 10 Gbit/s for 10 ms of stalled reader and 1 ms of stalled wire, rounded up to powers of two. The kernel is asked
// for less, by halves, until it accepts.
inline constexpr std::size_t kUdpReceiveBufferBytes = std::size_t{16} << 20;
// Senders that are above their share wait 30 ms in it at 1 Gbit/s: enough for a TCP flow among them to stay busy.
inline constexpr std::size_t kUdpLoudBufferBytes = std::size_t{4} << 20;
inline constexpr std::size_t kUdpSendBufferBytes = std::size_t{2} << 20;
inline constexpr std::size_t kUdpBufferBytesMin = std::size_t{64} << 10;

enum class PathMtu : std::uint8_t {
  kernel_default,  // the kernel fragments what exceeds a path's known MTU, as WireGuard expects (allow_fragments())
  probe,           // DF always set, never fragmented (IP_PMTUDISC_PROBE, IPV6_DONTFRAG): who measures the path itself
};

struct UdpOptions {
  Family family = Family::v4;
  std::uint16_t port = 0;  // 0: the kernel chooses
  // Empty: every local address. Of the same family otherwise.
  std::optional<IpAddress> address{};
  std::uint32_t fwmark = 0;  // 0: none
  PathMtu path_mtu = PathMtu::kernel_default;
  // IPv6: leave from a lasting address, not from a temporary one (RFC 5014): a relay knows its client by the address.
  bool lasting_source = false;
  std::size_t receive_buffer_bytes = kUdpReceiveBufferBytes;
  std::size_t send_buffer_bytes = kUdpSendBufferBytes;
  bool gso = true;  // false: every datagram is sent singly
  bool gro = true;
  // Ask for each datagram's local address; false for who answers from whatever address the routes pick.
  bool local_address = true;
  // A second queue for senders that take more than their share (io/udp_port.h), where the kernel allows one.
  bool loud_queue = false;
  UdpIo io = UdpIo::automatic;  // open_udp() heeds it
};

struct BoundUdp {
  FileDescriptor fd;  // non-blocking, close-on-exec
  Family family = Family::v4;
  std::uint16_t port = 0;
  bool gro = false;          // the kernel took UDP_GRO
  bool gso = false;          // the kernel knows UDP_SEGMENT
  FileDescriptor loud_fd{};  // the loud queue's; nobody's data goes there yet
};

// Errors name port and family; EADDRINUSE, EAFNOSUPPORT (no IPv6 on this host) and EPERM (fwmark) are the usual ones.
[[nodiscard]] Result<BoundUdp, IoError> bind_udp(const UdpOptions& options);

// SO_MARK; 0 for none.
[[nodiscard]] std::optional<IoError> set_socket_mark(int fd, std::uint32_t mark);

// An IPv4 socket of PathMtu::kernel_default begins without the kernel's fragments (IP_PMTUDISC_DO), because where it
// may fragment it looks up an identification for each destination, also for datagrams that it sends with DF anyway: 8 %
// of what a datagram costs among 10,000 destinations. What exceeds a path's MTU then fails with EMSGSIZE; whoever sends
// calls this and sends it again. Until then DF is set on routes with `mtu lock` as well.
// True: the kernel fragments from here on, and did not before.
[[nodiscard]] bool allow_fragments(int fd) noexcept;

// What the kernel granted, its doubling taken out; 0 when it does not tell.
[[nodiscard]] std::size_t receive_buffer_bytes(int fd) noexcept;
[[nodiscard]] std::size_t send_buffer_bytes(int fd) noexcept;

// Datagrams that the kernel dropped for this socket since it exists, modulo 2^32: 71 minutes of a million each second.
[[nodiscard]] std::uint32_t socket_drops(int fd) noexcept;
// As a sum that does not wrap: `known` of them, the last of which was fewer than 2^32 ago, were counted before.
[[nodiscard]] std::uint64_t socket_drops(int fd, std::uint64_t known) noexcept;

}  // namespace fireline::io
