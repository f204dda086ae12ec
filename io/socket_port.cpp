#include "io/socket_port.h"

#include <algorithm>
#include <utility>

#include "io/loud_filter.h"

namespace fireline::io {
namespace {

// Of the loud in one batch: while it is worked on, others wait.
constexpr std::size_t kLoudBuffers = 2;

}  // namespace

SocketPort::SocketPort(std::string_view backend, BoundUdp bound, UdpSyscalls& syscalls, std::size_t chain_messages)
    : backend_(backend),
      fd_(std::move(bound.fd)),
      family_(bound.family),
      port_(bound.port),
      gro_(bound.gro),
      intake_(bound.family, receive_counters_, UdpReceiveCounter::kernel_drops),
      sender_(fd_.get(), bound.family, bound.gso ? packet::kTrainSegments : 1, syscalls, chain_messages),
      loud_fd_(std::move(bound.loud_fd)),
      loud_intake_(bound.family, receive_counters_, UdpReceiveCounter::loud_drops),
      loud_receiver_(loud_fd_.get(), kernel_udp_syscalls(), loud_intake_) {}

IoStatus SocketPort::receive_loud(packet::UdpBatch& batch, packet::BufferSource& large) {
  if (!loud_fd_) return IoStatus::would_block;
  return loud_receiver_.receive(batch, large, std::min(batch.buffers.size() + kLoudBuffers, packet::kUdpBatchBuffers));
}

bool SocketPort::set_loud(std::span<const packet::Sender> loud) noexcept {
  return loud_fd_ && !attach_loud_filter(fd_.get(), family_, loud);
}

UdpStatus SocketPort::status() const {
  const GsoPolicy& gso = sender_.gso();
  // The counter is read before the kernel's: it is never ahead of that.
  const auto drops = [this](const FileDescriptor& fd, UdpReceiveCounter counter) {
    const std::uint64_t known = receive_counters_.get(counter);
    return fd ? socket_drops(fd.get(), known) : 0;
  };
  return UdpStatus{.backend = backend_,
                   .family = family_,
                   .port = port_,
                   .gro = gro_,
                   .gso = gso.segments_max() > 1 && gso.enabled(),
                   .gso_errno = gso.last_errno(),
                   .gso_refused_paths = gso.refused_paths(),
                   .gso_segments_max = gso.segments_max(),
                   .receive_buffer_bytes = receive_buffer_bytes(fd_.get()),
                   .send_buffer_bytes = send_buffer_bytes(fd_.get()),
                   .kernel_drops = drops(fd_, UdpReceiveCounter::kernel_drops),
                   .loud_queue = static_cast<bool>(loud_fd_),
                   .loud_drops = drops(loud_fd_, UdpReceiveCounter::loud_drops)};
}

}  // namespace fireline::io
