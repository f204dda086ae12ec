// What the relay's loop counts about datagrams between kernel and server; what the server itself drops (unknown
// channels, unknown peers, refused requests) has its own names in relay/protocol/server_counters.h. Counters with
// "drop" count datagrams that went nowhere; each such datagram is counted once.
#pragma once
#include <cstdint>
#include <string_view>

namespace fireline::relay {

enum class RelayCounter : std::uint8_t {
  received,          // datagrams read, each segment of a train being one
  received_bytes,    // their UDP payload
  receive_calls,     // successful receive calls
  receive_messages,  // trains and single datagrams: received / receive_messages is the mean GRO train
  receive_errors,    // failed receive calls; the socket stays ready
  kernel_drops,      // by the kernel before we read: the socket buffer was full, or a bad checksum. Learned of with the
                     // next datagram, at RelayLoop::count_kernel_drops() and when the socket is closed
  truncated,         // longer than any datagram may be
  bad_segment,       // a GRO size that cannot be
  bad_source,        // sender's address of a foreign family
  no_socket,         // to a family that the allocation has no socket of
  sent,              // datagrams that the kernel took
  sent_bytes,        // UDP payload
  send_calls,        // successful send calls
  gso_calls,         // of these with UDP_SEGMENT
  gso_refused,       // GSO sends that the kernel refused; their datagrams went singly
  would_block,       // socket buffer full: the datagrams wait in order
  kernel_busy,       // ENOBUFS or ENOMEM after the immediate retry: they wait as well
  queued,            // datagrams that had to wait
  drop_queue_full,   // they would have exceeded what may wait
  drop_closed,       // waited when their allocation ended
  drop_busy,         // ENOBUFS again and again for the same train
  drop_too_big,      // EMSGSIZE: larger than the path's MTU and not to be fragmented
  drop_unreachable,  // no route, or its interface is down
  drop_denied,       // EPERM, EACCES: local firewall or broadcast address
  drop_invalid,      // EINVAL for a single datagram: a destination that cannot exist
  drop_other,        // any other errno
  count_
};

[[nodiscard]] constexpr std::string_view name_of(RelayCounter which) noexcept {
  switch (which) {
    case RelayCounter::received:
      return "udp.receive.datagrams";
    case RelayCounter::received_bytes:
      return "udp.receive.bytes";
    case RelayCounter::receive_calls:
      return "udp.receive.calls";
    case RelayCounter::receive_messages:
      return "udp.receive.messages";
    case RelayCounter::receive_errors:
      return "udp.receive.errors";
    case RelayCounter::kernel_drops:
      return "udp.receive.drop.kernel";
    case RelayCounter::truncated:
      return "udp.receive.drop.truncated";
    case RelayCounter::bad_segment:
      return "udp.receive.drop.bad_segment";
    case RelayCounter::bad_source:
      return "udp.receive.drop.bad_source";
    case RelayCounter::no_socket:
      return "relay.drop.no_socket";
    case RelayCounter::sent:
      return "udp.send.datagrams";
    case RelayCounter::sent_bytes:
      return "udp.send.bytes";
    case RelayCounter::send_calls:
      return "udp.send.calls";
    case RelayCounter::gso_calls:
      return "udp.send.gso_calls";
    case RelayCounter::gso_refused:
      return "udp.send.gso_refused";
    case RelayCounter::would_block:
      return "udp.send.would_block";
    case RelayCounter::kernel_busy:
      return "udp.send.kernel_busy";
    case RelayCounter::queued:
      return "udp.send.queued";
    case RelayCounter::drop_queue_full:
      return "udp.send.drop.queue_full";
    case RelayCounter::drop_closed:
      return "udp.send.drop.closed";
    case RelayCounter::drop_busy:
      return "udp.send.drop.busy";
    case RelayCounter::drop_too_big:
      return "udp.send.drop.too_big";
    case RelayCounter::drop_unreachable:
      return "udp.send.drop.unreachable";
    case RelayCounter::drop_denied:
      return "udp.send.drop.denied";
    case RelayCounter::drop_invalid:
      return "udp.send.drop.invalid";
    case RelayCounter::drop_other:
      return "udp.send.drop.other";
    case RelayCounter::count_:
      break;
  }
  return "";
}

}  // namespace fireline::relay
