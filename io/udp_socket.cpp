#include "io/udp_socket.h"

#include <cerrno>
#include <utility>

#include "io/control_message.h"
#include "io/receive_arena.h"

namespace fireline::io {

Result<std::unique_ptr<UdpSocket>, IoError> UdpSocket::open(const UdpOptions& options, UdpSyscalls& syscalls) {
  auto bound = bind_udp(options);
  if (!bound.has_value()) return err(std::move(bound.error()));
  return std::make_unique<UdpSocket>(std::move(*bound), syscalls);
}

UdpSocket::UdpSocket(BoundUdp bound, UdpSyscalls& syscalls)
    : SocketPort("syscall", std::move(bound), syscalls, 1), syscalls_(syscalls) {}

IoStatus UdpSocket::receive(packet::UdpBatch& batch, packet::BufferSource& large) {
  ReceiveArena arena(batch.buffers, packet::kUdpBatchBuffers, large);
  return read_turn(arena, batch.datagrams, packet::kUdpBatchDatagrams, intake().counters(),
                   [&] { return receive_datagram(arena, batch); });
}

ReadCall UdpSocket::receive_datagram(ReceiveArena& arena, packet::UdpBatch& batch) {
  const Bytes space = arena.space();
  sockaddr_storage source;
  iovec vector{.iov_base = space.data(), .iov_len = space.size()};
  ControlBuffer control;
  msghdr message{};
  message.msg_name = &source;
  message.msg_namelen = sizeof source;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();

  const ssize_t result = syscalls_.recvmsg(poll_fd(), message, MSG_DONTWAIT);
  if (result >= 0) {
    const auto length = static_cast<std::size_t>(result);
    if (auto datagrams = intake().take(message, length)) {
      datagrams->bytes = arena.keep(length);
      batch.datagrams.push_back(*datagrams);
    }
    return ReadCall::taken;
  }
  const int code = static_cast<int>(-result);
  if (code == EAGAIN) return ReadCall::would_block;
  if (code == EBADF || code == ENOTSOCK) return ReadCall::closed;
  return code == EINTR ? ReadCall::interrupted : ReadCall::failed;
}

}  // namespace fireline::io
