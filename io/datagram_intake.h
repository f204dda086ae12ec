// What becomes of one received UDP message, in every backend: it is checked, counted and described, or dropped under
// exactly one name. The bytes are the backend's to place.
//
// Threads: the receiving thread owns it; counters() may be read by any thread.
#pragma once
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/packet/batch.h"
#include "io/udp_port.h"

namespace fireline::io {

class DatagramIntake {
 public:
  explicit DatagramIntake(Family family) noexcept : family_(family) {}

  // `message` as recvmsg left it, its payload `length` bytes long. The description is without its bytes; empty: dropped
  // and counted.
  [[nodiscard]] std::optional<packet::ReceivedDatagrams> take(const msghdr& message, std::size_t length) noexcept;

  [[nodiscard]] Counters<UdpReceiveCounter>& counters() noexcept { return counters_; }
  [[nodiscard]] const Counters<UdpReceiveCounter>& counters() const noexcept { return counters_; }

 private:
  [[nodiscard]] std::nullopt_t drop(UdpReceiveCounter why) noexcept;
  void note_kernel_drops(std::uint32_t cumulative) noexcept;

  Family family_;
  Counters<UdpReceiveCounter> counters_;
  std::uint32_t kernel_drops_seen_ = 0;
};

}  // namespace fireline::io
