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
  int recvmmsg(int fd, std::span<mmsghdr> messages, int flags) noexcept override {
    const int result = ::recvmmsg(fd, messages.data(), static_cast<unsigned>(messages.size()), flags, nullptr);
    return result >= 0 ? result : -errno;
  }
};

}  // namespace

UdpSyscalls::ChainResult UdpSyscalls::send_chain(int fd, std::span<const msghdr> messages, int flags) noexcept {
  ChainResult result;
  for (const msghdr& message : messages) {
    const ssize_t sent = sendmsg(fd, message, flags);
    if (sent < 0) {
      result.code = static_cast<int>(-sent);
      break;
    }
    ++result.sent;
  }
  return result;
}

int UdpSyscalls::recvmmsg(int fd, std::span<mmsghdr> messages, int flags) noexcept {
  int count = 0;
  for (mmsghdr& message : messages) {
    const ssize_t result = recvmsg(fd, message.msg_hdr, flags);
    if (result < 0) return count != 0 ? count : static_cast<int>(result);
    message.msg_len = static_cast<unsigned>(result);
    ++count;
  }
  return count;
}

UdpSyscalls& kernel_udp_syscalls() noexcept {
  static KernelUdpSyscalls syscalls;
  return syscalls;
}

}  // namespace fireline::io
