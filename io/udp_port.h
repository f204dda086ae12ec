// One bound UDP socket of one address family, as the data path sees it. Two backends implement it: plain system calls
// (io/udp_socket.h) and io_uring (io/udp_ring_socket.h); io/udp_open.h chooses.
//
// Threads: receive() belongs to one thread and send() to one thread, which may be another; both may run at once.
// counters, status(), set_fwmark() and the plain getters may be used by any thread at any time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/packet/batch.h"
#include "core/packet/buffer.h"
#include "core/packet/sender.h"
#include "io/io_error.h"
#include "io/io_status.h"

namespace fireline::io {

// What came in; drops are counted in datagrams where the kernel tells how many.
enum class UdpReceiveCounter : std::uint8_t {
  datagrams,
  bytes,         // UDP payload
  calls,         // successful receive calls: datagrams / calls is the mean GRO train
  kernel_drops,  // by the kernel before we read: the socket buffer was full, or a bad checksum
  loud_drops,    // the same of the loud queue: what its senders sent beyond what the others left them
  truncated,     // longer than a large buffer
  empty,         // length zero
  bad_segment,   // GRO segment size larger than the datagram, or no such size
  bad_source,    // sender's address of a foreign family
  no_buffer,     // times the pool was empty (nothing is lost yet: the datagrams stay in the socket)
  errors,        // receive calls that failed with a pending socket error or otherwise; never fatal
  count_
};
[[nodiscard]] constexpr std::string_view name_of(UdpReceiveCounter which) noexcept;

// What went out. The drop_ ones count datagrams.
enum class UdpSendCounter : std::uint8_t {
  datagrams,
  bytes,             // UDP payload
  calls,             // successful send calls
  gso_calls,         // of these with UDP_SEGMENT
  would_block,       // socket buffer full
  kernel_busy,       // ENOBUFS or ENOMEM, after the immediate retry
  without_source,    // sends repeated without the sticky source address or interface, which no longer exists
  gso_refused,       // GSO sends that the kernel refused (EIO, EINVAL); their datagrams went singly
  drop_too_big,      // EMSGSIZE: larger than the path's MTU
  drop_unreachable,  // no route to the destination, or its interface is down or gone
  drop_denied,       // EPERM, EACCES: local firewall or broadcast address
  drop_invalid,      // EINVAL for a single datagram: a destination that cannot exist
  drop_busy,         // ENOBUFS again and again for the same datagram
  drop_other,        // any other errno
  count_
};
[[nodiscard]] constexpr std::string_view name_of(UdpSendCounter which) noexcept;

// The first unsent byte of a UdpSendBatch. Starts at {}; send() advances it; reset it with the batch.
struct SendCursor {
  std::size_t train = 0;
  std::size_t offset_bytes = 0;
  // Set together with would_block when the kernel lacked memory rather than room in the socket's buffer: no POLLOUT
  // event will come, so the caller calls send() again after kKernelBusyRetry.
  bool kernel_busy = false;
  std::uint8_t busy_count = 0;  // consecutive times for the same datagram
};

inline constexpr Duration kKernelBusyRetry = std::chrono::milliseconds(1);
// After so many milliseconds of ENOBUFS the datagram is dropped and counted, so that one cannot hold up all others.
inline constexpr std::uint8_t kKernelBusyAttempts = 8;

// Large buffers that a backend may hold for the kernel to fill. As many trains arrive between two turns of a reader
// without a system call each; more would only be more memory to walk through (io/limits.h).
inline constexpr std::size_t kReceiveSlots = 16;

struct UdpStatus {
  std::string_view backend;
  Family family = Family::v4;
  std::uint16_t port = 0;
  bool gro = false;                   // the kernel accepted UDP_GRO
  bool gso = false;                   // sends may use UDP_SEGMENT (false: whole socket refused)
  int gso_errno = 0;                  // of the last refusal, 0 for none since the bind
  std::size_t gso_refused_paths = 0;  // refusing now
  std::size_t gso_segments_max = 0;
  std::size_t receive_buffer_bytes = 0;  // effective, the kernel's doubling taken out
  std::size_t send_buffer_bytes = 0;
  std::uint64_t kernel_drops = 0;  // exact; the counter of that name learns of it with the next datagram only
  bool loud_queue = false;
  std::uint64_t loud_drops = 0;  // exact as well
};

class UdpPort {
 public:
  virtual ~UdpPort() = default;

  // Appends datagrams to `batch` until it is full (done), nothing more waits (would_block) or the pool is empty (done;
  // with an empty batch that means: wait for buffers, not for the socket). Never blocks. `large` must give buffers of
  // kLargeBufferBytes and is called from this thread. It must outlive the port, which may keep up to
  // kReceiveSlots of its buffers between calls (the kernel fills them meanwhile).
  [[nodiscard]] virtual IoStatus receive(packet::UdpBatch& batch, packet::BufferSource& large) = 0;

  // The loud queue: a second one of the same port, for the transport data of senders that take more than their share
  // (core/packet/fair_share.h). Whoever receives reads it when the first has nothing. -1: there is none.
  [[nodiscard]] virtual int loud_poll_fd() const noexcept { return -1; }
  // As receive().
  [[nodiscard]] virtual IoStatus receive_loud(packet::UdpBatch&, packet::BufferSource&) {
    return IoStatus::would_block;
  }
  // Whose data the kernel puts into the loud queue from here on; what is in a queue stays there. False: it would not,
  // and the senders named before are still the loud ones. The receiving thread's.
  [[nodiscard]] virtual bool set_loud(std::span<const packet::Sender>) noexcept { return false; }

  // The thread that receives is about to end: whatever the kernel does on its behalf is called off. The next receive()
  // may be another thread's; it goes on where this one stood. At most two seconds, usually microseconds.
  virtual void stop_receiving() noexcept {}

  // Sends from the cursor on. No datagram is lost or repeated, and order is kept: would_block leaves the cursor at the
  // first unsent one, and a later call goes on there. What the kernel refuses for its destination's sake is dropped,
  // counted by its class, and the cursor moves on. Never blocks. `now` is boot time.
  [[nodiscard]] virtual IoStatus send(const packet::UdpSendBatch& batch, SendCursor& cursor, Instant now) = 0;

  // Readable when receive() has something.
  [[nodiscard]] virtual int poll_fd() const noexcept = 0;
  // Writable when send() may go on: the socket itself.
  [[nodiscard]] virtual int send_fd() const noexcept = 0;
  [[nodiscard]] virtual std::string_view backend() const noexcept = 0;  // "syscall", "io_uring"
  [[nodiscard]] virtual Family family() const noexcept = 0;
  [[nodiscard]] virtual std::uint16_t port() const noexcept = 0;
  // SO_MARK of everything sent from here on; 0 for none. Errors: EPERM without CAP_NET_ADMIN.
  [[nodiscard]] virtual std::optional<IoError> set_fwmark(std::uint32_t mark) noexcept = 0;

  [[nodiscard]] virtual const Counters<UdpReceiveCounter>& receive_counters() const noexcept = 0;
  [[nodiscard]] virtual const Counters<UdpSendCounter>& send_counters() const noexcept = 0;
  [[nodiscard]] virtual UdpStatus status() const = 0;
};

constexpr std::string_view name_of(UdpReceiveCounter which) noexcept {
  switch (which) {
    case UdpReceiveCounter::datagrams:
      return "udp.receive.datagrams";
    case UdpReceiveCounter::bytes:
      return "udp.receive.bytes";
    case UdpReceiveCounter::calls:
      return "udp.receive.calls";
    case UdpReceiveCounter::kernel_drops:
      return "udp.receive.kernel_drops";
    case UdpReceiveCounter::loud_drops:
      return "udp.receive.loud_drops";
    case UdpReceiveCounter::truncated:
      return "udp.receive.truncated";
    case UdpReceiveCounter::empty:
      return "udp.receive.empty";
    case UdpReceiveCounter::bad_segment:
      return "udp.receive.bad_segment";
    case UdpReceiveCounter::bad_source:
      return "udp.receive.bad_source";
    case UdpReceiveCounter::no_buffer:
      return "udp.receive.no_buffer";
    case UdpReceiveCounter::errors:
      return "udp.receive.errors";
    case UdpReceiveCounter::count_:
      break;
  }
  return "";
}

constexpr std::string_view name_of(UdpSendCounter which) noexcept {
  switch (which) {
    case UdpSendCounter::datagrams:
      return "udp.send.datagrams";
    case UdpSendCounter::bytes:
      return "udp.send.bytes";
    case UdpSendCounter::calls:
      return "udp.send.calls";
    case UdpSendCounter::gso_calls:
      return "udp.send.gso_calls";
    case UdpSendCounter::would_block:
      return "udp.send.would_block";
    case UdpSendCounter::kernel_busy:
      return "udp.send.kernel_busy";
    case UdpSendCounter::without_source:
      return "udp.send.without_source";
    case UdpSendCounter::gso_refused:
      return "udp.send.gso_refused";
    case UdpSendCounter::drop_too_big:
      return "udp.send.drop.too_big";
    case UdpSendCounter::drop_unreachable:
      return "udp.send.drop.unreachable";
    case UdpSendCounter::drop_denied:
      return "udp.send.drop.denied";
    case UdpSendCounter::drop_invalid:
      return "udp.send.drop.invalid";
    case UdpSendCounter::drop_busy:
      return "udp.send.drop.busy";
    case UdpSendCounter::drop_other:
      return "udp.send.drop.other";
    case UdpSendCounter::count_:
      break;
  }
  return "";
}

}  // namespace fireline::io
