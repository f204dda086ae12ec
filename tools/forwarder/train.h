// Cuts one packet from the TUN device into a train of equal datagrams (the last may be shorter) without touching the
// payload: headers are built in a small table of their own, the payload stays where it was read, and one gather send
// takes both. Checksums of TCP and UDP stay partial; the pseudo-header sum and the flag travel.
// Lifetime: the pieces point into the frame given to cut() and into this object. One thread.
#pragma once
#include <sys/uio.h>

#include <array>
#include <span>

#include "tools/forwarder/frame.h"

namespace fireline::forwarder {

class Train {
 public:
  // `frame` is kOverheadBytes (the last ten are the virtio_net_hdr) and one packet. False: the offload is none that was
  // asked for, or lengths contradict each other; the packet is dropped then.
  [[nodiscard]] bool cut(Bytes frame) noexcept;

  [[nodiscard]] std::size_t datagrams() const noexcept { return datagrams_; }
  // Length of all datagrams but the last.
  [[nodiscard]] std::size_t datagram_bytes() const noexcept { return datagram_bytes_; }
  // How many datagrams fit into one send.
  [[nodiscard]] std::size_t datagrams_per_send() const noexcept;
  // The pieces of `count` datagrams from `first`.
  [[nodiscard]] std::span<iovec> pieces(std::size_t first, std::size_t count) noexcept;

 private:
  // 65,535 bytes over the least payload that a segment of an IPv6 path (MTU 576 and up) can have, rounded up.
  static constexpr std::size_t kDatagramsMax = 256;
  static constexpr std::size_t kSlotBytes = 192;  // overhead and headers, whole cache lines
  static_assert(kSlotBytes >= kOverheadBytes + kHeaderBytesMax);

  std::size_t datagrams_ = 0;
  std::size_t datagram_bytes_ = 0;
  std::size_t pieces_per_datagram_ = 1;
  std::array<iovec, 2 * kDatagramsMax> pieces_{};
  alignas(64) std::array<std::byte, kSlotBytes * kDatagramsMax> slots_{};
};

}  // namespace fireline::forwarder
