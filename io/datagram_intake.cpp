#include "io/datagram_intake.h"

#include <cstring>

#include "io/control_message.h"
#include "io/socket_address.h"

namespace fireline::io {
namespace {

constexpr std::size_t kDatagramBytesMax = 65535;

}  // namespace

packet::ReceivedDatagrams* DatagramIntake::take(const msghdr& message, std::size_t length,
                                                packet::UdpBatch& batch) noexcept {
  counters_.add(UdpReceiveCounter::calls);
  const ReceiveControl control = read_receive_control(message);
  if (control.kernel_drops.has_value()) note_kernel_drops(*control.kernel_drops);
  if (length == 0) return drop(UdpReceiveCounter::empty);
  if ((message.msg_flags & MSG_TRUNC) != 0 || length > kDatagramBytesMax) return drop(UdpReceiveCounter::truncated);
  // With control messages cut off, a train would look like one datagram.
  const int whole = static_cast<int>(length);
  const int segment = control.segment_bytes.value_or(whole);
  if ((message.msg_flags & MSG_CTRUNC) != 0 || segment <= 0 || segment > whole) {
    return drop(UdpReceiveCounter::bad_segment);
  }
  sockaddr_storage address;  // not cleared: to_endpoint() reads what the length covers
  if (message.msg_namelen > sizeof address) return drop(UdpReceiveCounter::bad_source);
  std::memcpy(&address, message.msg_name, message.msg_namelen);
  const auto source = to_endpoint(address, message.msg_namelen, family_);
  if (!source.has_value()) return drop(UdpReceiveCounter::bad_source);

  const auto segment_bytes = static_cast<std::size_t>(segment);
  counters_.add(UdpReceiveCounter::datagrams, (length + segment_bytes - 1) / segment_bytes);
  counters_.add(UdpReceiveCounter::bytes, length);
  packet::ReceivedDatagrams& datagrams = batch.datagrams.emplace_back();
  datagrams.segment_bytes = static_cast<std::uint16_t>(segment);
  datagrams.ecn = control.ecn;
  datagrams.source = *source;
  datagrams.local = control.local;
  return &datagrams;
}

std::nullptr_t DatagramIntake::drop(UdpReceiveCounter why) noexcept {
  counters_.add(why);
  return nullptr;
}

void DatagramIntake::note_kernel_drops(std::uint32_t cumulative) noexcept {
  // Unsigned difference: right across the wrap of the kernel's 32 bits.
  counters_.add(full_, cumulative - kernel_drops_seen_);
  kernel_drops_seen_ = cumulative;
}

}  // namespace fireline::io
