#include "io/udp_socket.h"

#include <cerrno>
#include <utility>

#include "io/control_message.h"
#include "io/receive_arena.h"
#include "io/socket_address.h"

namespace fireline::io {
namespace {

// How often a free port of one family may turn out to be taken in the other.
constexpr unsigned kPairAttempts = 16;
constexpr std::size_t kDatagramBytesMax = 65535;

}  // namespace

Result<std::unique_ptr<UdpSocket>, IoError> UdpSocket::open(const UdpOptions& options, UdpSyscalls& syscalls) {
  auto bound = bind_udp(options);
  if (!bound.has_value()) return err(std::move(bound.error()));
  return std::unique_ptr<UdpSocket>(new UdpSocket(std::move(*bound), options, syscalls));
}

UdpSocket::UdpSocket(BoundUdp bound, const UdpOptions& options, UdpSyscalls& syscalls) noexcept
    : fd_(std::move(bound.fd)),
      family_(options.family),
      port_(bound.port),
      gro_(bound.gro),
      syscalls_(syscalls),
      sender_(fd_.get(), options.family, bound.gso ? packet::kTrainSegments : 1, syscalls) {}

IoStatus UdpSocket::receive(packet::UdpBatch& batch, packet::BufferSource& large) {
  ReceiveArena arena(batch.buffers, packet::kUdpBatchBuffers, large);
  return read_turn(arena, batch.datagrams, packet::kUdpBatchDatagrams, received_,
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

  const ssize_t result = syscalls_.recvmsg(fd_.get(), message, MSG_DONTWAIT);
  if (result >= 0) {
    take_datagram(message, static_cast<std::size_t>(result), arena, batch);
    return ReadCall::taken;
  }
  const int code = static_cast<int>(-result);
  if (code == EAGAIN) return ReadCall::would_block;
  if (code == EBADF || code == ENOTSOCK) return ReadCall::closed;
  return code == EINTR ? ReadCall::interrupted : ReadCall::failed;
}

void UdpSocket::take_datagram(const msghdr& message, std::size_t length, ReceiveArena& arena, packet::UdpBatch& batch) {
  received_.add(UdpReceiveCounter::calls);
  const ReceiveControl control = read_receive_control(message);
  if (control.kernel_drops.has_value()) note_kernel_drops(*control.kernel_drops);
  if (length == 0) return received_.add(UdpReceiveCounter::empty);
  if ((message.msg_flags & MSG_TRUNC) != 0 || length > kDatagramBytesMax) {
    return received_.add(UdpReceiveCounter::truncated);
  }
  // With control messages cut off, a train would look like one datagram.
  const int whole = static_cast<int>(length);
  const int segment = control.segment_bytes.value_or(whole);
  if ((message.msg_flags & MSG_CTRUNC) != 0 || segment <= 0 || segment > whole) {
    return received_.add(UdpReceiveCounter::bad_segment);
  }
  sockaddr_storage address;
  std::memcpy(&address, message.msg_name, sizeof address);
  const auto source = to_endpoint(address, message.msg_namelen, family_);
  if (!source.has_value()) return received_.add(UdpReceiveCounter::bad_source);

  const auto segment_bytes = static_cast<std::size_t>(segment);
  received_.add(UdpReceiveCounter::datagrams, (length + segment_bytes - 1) / segment_bytes);
  received_.add(UdpReceiveCounter::bytes, length);
  batch.datagrams.push_back({.bytes = arena.keep(length),
                             .segment_bytes = static_cast<std::uint16_t>(segment),
                             .ecn = control.ecn,
                             .source = *source,
                             .local = control.local});
}

void UdpSocket::note_kernel_drops(std::uint32_t cumulative) noexcept {
  // Unsigned difference: right across the wrap of the kernel's 32 bits.
  received_.add(UdpReceiveCounter::kernel_drops, cumulative - kernel_drops_seen_);
  kernel_drops_seen_ = cumulative;
}

IoStatus UdpSocket::send(const packet::UdpSendBatch& batch, SendCursor& cursor, Instant now) {
  return sender_.send(batch, cursor, now);
}

std::optional<IoError> UdpSocket::set_fwmark(std::uint32_t mark) noexcept {
  return set_socket_mark(fd_.get(), mark);
}

UdpStatus UdpSocket::status() const {
  const GsoPolicy& gso = sender_.gso();
  return UdpStatus{.backend = "syscall",
                   .family = family_,
                   .port = port_,
                   .gro = gro_,
                   .gso = gso.segments_max() > 1 && gso.enabled(),
                   .gso_errno = gso.last_errno(),
                   .gso_refused_paths = gso.refused_paths(),
                   .gso_segments_max = gso.segments_max(),
                   .receive_buffer_bytes = receive_buffer_bytes(fd_.get()),
                   .send_buffer_bytes = send_buffer_bytes(fd_.get()),
                   .kernel_drops = socket_drops(fd_.get())};
}

Result<UdpSocketPair, IoError> open_udp_pair(const UdpOptions& options, UdpSyscalls& syscalls) {
  for (unsigned attempt = 1;; ++attempt) {
    UdpOptions v4 = options;
    v4.family = Family::v4;
    UdpOptions v6 = options;
    v6.family = Family::v6;
    auto first = UdpSocket::open(v4, syscalls);
    if (first.has_value())
      v6.port = (*first)->port();
    else if (first.error().code != EAFNOSUPPORT)
      return err(std::move(first.error()));

    auto second = UdpSocket::open(v6, syscalls);
    if (!second.has_value()) {
      const int code = second.error().code;
      if (code == EADDRINUSE && options.port == 0 && attempt < kPairAttempts) continue;
      // EADDRNOTAVAIL: IPv6 is switched off by sysctl, so that no address of it may be bound.
      const bool no_v6 = code == EAFNOSUPPORT || code == EADDRNOTAVAIL;
      if (!no_v6 || !first.has_value()) return err(std::move(second.error()));
    }
    UdpSocketPair pair;
    if (first.has_value()) pair.v4 = std::move(*first);
    if (second.has_value()) pair.v6 = std::move(*second);
    return pair;
  }
}

}  // namespace fireline::io
