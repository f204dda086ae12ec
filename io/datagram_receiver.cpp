#include "io/datagram_receiver.h"

#include <cerrno>

#include "io/control_message.h"
#include "io/receive_arena.h"

namespace fireline::io {

IoStatus DatagramReceiver::receive(packet::UdpBatch& batch, packet::BufferSource& large, std::size_t buffers_max) {
  ReceiveArena arena(batch.buffers, buffers_max, large);
  return read_turn(arena, batch.datagrams, packet::kUdpBatchDatagrams, intake_.counters(),
                   [&] { return receive_datagram(arena, batch); });
}

ReadCall DatagramReceiver::receive_datagram(ReceiveArena& arena, packet::UdpBatch& batch) {
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

  const ssize_t result = syscalls_.recvmsg(fd_, message, MSG_DONTWAIT);
  if (result >= 0) {
    const auto length = static_cast<std::size_t>(result);
    if (auto* const datagrams = intake_.take(message, length, batch)) datagrams->bytes = arena.keep(length);
    return ReadCall::taken;
  }
  const int code = static_cast<int>(-result);
  if (code == EAGAIN) return ReadCall::would_block;
  if (code == EBADF || code == ENOTSOCK) return ReadCall::closed;
  return code == EINTR ? ReadCall::interrupted : ReadCall::failed;
}

}  // namespace fireline::io
