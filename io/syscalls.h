// The two system calls that a UDP socket makes per packet train, behind an interface, so that a test can script every
// result. A virtual call costs nothing next to a system call that carries a whole train. Nothing else belongs here.
#pragma once
#include <sys/socket.h>
#include <sys/types.h>

namespace fireline::io {

class UdpSyscalls {
 public:
  virtual ~UdpSyscalls() = default;

  // As sendmsg(2) and recvmsg(2), but an error comes back as its negative errno. Any thread, also at the same time.
  [[nodiscard]] virtual ssize_t sendmsg(int fd, const msghdr& message, int flags) noexcept = 0;
  [[nodiscard]] virtual ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept = 0;
};

// The kernel's own. Lives as long as the process.
[[nodiscard]] UdpSyscalls& kernel_udp_syscalls() noexcept;

}  // namespace fireline::io
