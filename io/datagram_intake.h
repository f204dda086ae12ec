// What becomes of one received UDP message, in every backend: it is checked, counted and described, or dropped under
// exactly one name. The bytes are the backend's to place.
//
// Lifetime: one socket's. Threads: the receiving thread's; the counters may be read by any.
#pragma once
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/packet/batch.h"
#include "io/udp_port.h"

namespace fireline::io {

class DatagramIntake {
 public:
  // `full`: what a datagram counts as that the kernel dropped before we read. Borrows `counters`.
  DatagramIntake(Family family, Counters<UdpReceiveCounter>& counters, UdpReceiveCounter full) noexcept
      : family_(family), full_(full), counters_(counters) {}

  // `message` as recvmsg left it, its payload `length` bytes long. Its description becomes the batch's last, without
  // its bytes, which the caller fills in; null: dropped and counted. (Made where it lies, for a copy waits for the
  // stores before it.)
  [[nodiscard]] packet::ReceivedDatagrams* take(const msghdr& message, std::size_t length,
                                                packet::UdpBatch& batch) noexcept;

  [[nodiscard]] Counters<UdpReceiveCounter>& counters() noexcept { return counters_; }

 private:
  [[nodiscard]] std::nullptr_t drop(UdpReceiveCounter why) noexcept;
  void note_kernel_drops(std::uint32_t cumulative) noexcept;

  Family family_;
  UdpReceiveCounter full_;
  Counters<UdpReceiveCounter>& counters_;
  std::uint32_t kernel_drops_seen_ = 0;
};

}  // namespace fireline::io
