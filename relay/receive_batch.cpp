#include "relay/receive_batch.h"

#include <algorithm>
#include <cerrno>

#include "io/socket_address.h"

namespace fireline::relay {
namespace {

// A non-blocking receive is hardly ever interrupted, so that more means something is badly wrong.
constexpr unsigned kInterruptsMax = 16;

}  // namespace

void ReceiveMemory::note_drops(std::uint32_t cumulative, Counters<RelayCounter>& counters) noexcept {
  // Right across the wrap; half of the range is "less".
  const std::uint32_t more = cumulative - kernel_drops;
  if (more > UINT32_MAX / 2) return;
  counters.add(RelayCounter::kernel_drops, more);
  kernel_drops = cumulative;
}

ReceiveBatch::ReceiveBatch() : memory_(new std::byte[kBatchMessagesMax * kSlotBytes]) {
  for (std::size_t i = 0; i < kBatchMessagesMax; ++i) {
    vectors_[i] = {.iov_base = memory_.get() + i * kSlotBytes, .iov_len = kSlotBytes};
    msghdr& header = headers_[i].msg_hdr;
    header.msg_name = &sources_[i];
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_control = controls_[i].bytes.data();
  }
}

ReceiveBatch::Outcome ReceiveBatch::read(int fd, Family family, ReceiveMemory& memory, io::UdpSyscalls& syscalls,
                                         Counters<RelayCounter>& counters) {
  message_count_ = 0;
  const std::size_t wanted = std::clamp(kBatchPackets / memory.recent_segments, std::size_t{1}, kBatchMessagesMax);
  prepare(wanted);
  int result = -EINTR;
  for (unsigned attempt = 0; result == -EINTR && attempt <= kInterruptsMax; ++attempt) {
    result = syscalls.recvmmsg(fd, std::span(headers_).first(wanted), MSG_DONTWAIT);
  }
  if (result < 0) {
    if (result == -EAGAIN) return {.drained = true};
    counters.add(RelayCounter::receive_errors);
    // One packet's worth of turn: a socket that fails again and again must not keep the others waiting.
    const bool closed = result == -EBADF || result == -ENOTSOCK;
    return {.packets = 1, .drained = closed, .closed = closed};
  }
  counters.add(RelayCounter::receive_calls);
  Outcome outcome;
  std::size_t longest = 1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(result); ++i) {
    const std::size_t packets = take(i, family, memory, counters);
    outcome.packets += packets;
    longest = std::max(longest, packets);
  }
  const std::size_t fallen = memory.recent_segments - (memory.recent_segments + 7U) / 8;
  memory.recent_segments = static_cast<std::uint8_t>(std::min(std::max(longest, fallen), kBatchPackets));
  // Fewer than asked for: the call ended because nothing was left.
  outcome.drained = static_cast<std::size_t>(result) < wanted;
  return outcome;
}

void ReceiveBatch::prepare(std::size_t messages) noexcept {
  for (std::size_t i = 0; i < messages; ++i) {
    msghdr& header = headers_[i].msg_hdr;
    header.msg_namelen = sizeof(sockaddr_storage);
    header.msg_controllen = io::kControlBytes;
    header.msg_flags = 0;
  }
}

std::size_t ReceiveBatch::take(std::size_t slot, Family family, ReceiveMemory& memory,
                               Counters<RelayCounter>& counters) {
  const msghdr& header = headers_[slot].msg_hdr;
  const std::size_t length = headers_[slot].msg_len;
  counters.add(RelayCounter::receive_messages);
  const io::ReceiveControl control = io::read_receive_control(header);
  if (control.kernel_drops.has_value()) memory.note_drops(*control.kernel_drops, counters);
  const auto dropped = [&](RelayCounter why) -> std::size_t {
    counters.add(RelayCounter::received);
    counters.add(why);
    return 1;
  };
  if ((header.msg_flags & MSG_TRUNC) != 0 || length > kSlotBytes) return dropped(RelayCounter::truncated);
  // With control messages cut off, a train would look like one datagram.
  const int whole = static_cast<int>(length);
  const int segment = control.segment_bytes.value_or(whole);
  if ((header.msg_flags & MSG_CTRUNC) != 0 || segment > whole || (segment <= 0 && whole != 0)) {
    return dropped(RelayCounter::bad_segment);
  }
  ReceivedMessage message{.bytes = Bytes(memory_.get() + slot * kSlotBytes, length),
                          .segment_bytes = static_cast<std::size_t>(segment),
                          .ecn = control.ecn,
                          .source = {}};
  const std::size_t packets = message.segments();
  counters.add(RelayCounter::received, packets);
  counters.add(RelayCounter::received_bytes, length);
  const auto source = io::to_endpoint(sources_[slot], header.msg_namelen, family);
  if (!source.has_value()) {
    counters.add(RelayCounter::bad_source, packets);
    return packets;
  }
  message.source = *source;
  messages_[message_count_++] = message;
  return packets;
}

}  // namespace fireline::relay
