#include "io/syscalls.h"

#include <cerrno>

namespace fireline::io {
namespace {

class KernelUdpSyscalls final : public UdpSyscalls {
 public:
  ssize_t sendmsg(int fd, const msghdr& message, int flags) noexcept override {
    const ssize_t result = ::sendmsg(fd, &message, flags);
    return result >= 0 ? result : -errno;
  }
  ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept override {
    const ssize_t result = ::recvmsg(fd, &message, flags);
    return result >= 0 ? result : -errno;
  }
};

}  // namespace

UdpSyscalls& kernel_udp_syscalls() noexcept {
  static KernelUdpSyscalls syscalls;
  return syscalls;
}

}  // namespace fireline::io
