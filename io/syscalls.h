// The system calls that a UDP socket makes per packet train, behind an interface, so that a test can script every
// result. A virtual call costs nothing next to a system call that carries a whole train. Nothing else belongs here.
#pragma once
#include <sys/socket.h>
#include <sys/types.h>

#include <span>

namespace fireline::io {

class UdpSyscalls {
 public:
  virtual ~UdpSyscalls() = default;

  // As sendmsg(2) and recvmsg(2), but an error comes back as its negative errno. The kernel's own: any thread, also at
  // the same time.
  [[nodiscard]] virtual ssize_t sendmsg(int fd, const msghdr& message, int flags) noexcept = 0;
  // A chain: in order until one fails. How many went, and the errno of the one that did not (0: all went); what is
  // behind it was not tried. Here: sendmsg() one by one.
  struct ChainResult {
    std::size_t sent = 0;
    int code = 0;
  };
  [[nodiscard]] virtual ChainResult send_chain(int fd, std::span<const msghdr> messages, int flags) noexcept;

  [[nodiscard]] virtual ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept = 0;

  // As recvmmsg(2) without a time limit: how many messages there were, or the negative errno of the first.
  // Here: recvmsg() until it fails, so that a script needs no second kind of line.
  [[nodiscard]] virtual int recvmmsg(int fd, std::span<mmsghdr> messages, int flags) noexcept;
};

// The kernel's own. Lives as long as the process.
[[nodiscard]] UdpSyscalls& kernel_udp_syscalls() noexcept;

}  // namespace fireline::io
