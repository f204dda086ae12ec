// Merges the datagrams of one GRO buffer into as few packets for the TUN device as possible: consecutive TCP segments,
// or equal UDP datagrams, of one inner flow become one super-packet, gathered from where they were received.
// Trust: checksums are not looked at (partial ones are completed by whoever needs them), order is taken as it comes.
// Lifetime: the pieces point into the buffer given to next() and into this object. One thread.
#pragma once
#include <sys/uio.h>

#include <array>
#include <span>

#include "tools/forwarder/frame.h"

namespace fireline::forwarder {

class Merge {
 public:
  // Starts over with a received buffer of datagrams of `datagram_bytes` each (the last may be shorter).
  void begin(Bytes buffer, std::size_t datagram_bytes) noexcept;
  // The next packet with its virtio_net_hdr in front, ready for writev; empty at the end of the buffer.
  [[nodiscard]] std::span<iovec> next(bool merge_udp) noexcept;

 private:
  struct Headers {
    bool v6 = false;
    bool tcp = false;
    std::size_t transport = 0;  // bytes before the transport header
    std::size_t bytes = 0;      // bytes before the payload
  };

  [[nodiscard]] Bytes take() noexcept;
  [[nodiscard]] Bytes peek() const noexcept;
  // False for everything that is not plain TCP or UDP over IP with a partial checksum and some payload.
  [[nodiscard]] static bool parse(ConstBytes frame, Headers& headers) noexcept;
  [[nodiscard]] static bool same_flow(ConstBytes first, ConstBytes next, const Headers& headers) noexcept;
  void finish(Bytes first, const Headers& headers, std::size_t segment_bytes, std::size_t packet_bytes,
              std::uint8_t last_flags) noexcept;

  Bytes buffer_;
  std::size_t datagram_bytes_ = 0;
  std::array<iovec, kTrainMax + 64> pieces_{};
};

}  // namespace fireline::forwarder
