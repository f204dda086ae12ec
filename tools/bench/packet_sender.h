// Sends single IPv4 UDP datagrams straight to an interface, past the sender's IP stack: more per second than a UDP
// socket makes, so that a sender of singles can be twice as fast as what it measures. The
// tunnel sees what a UDP socket would have given it: a whole packet with a partial checksum. One thread.
#pragma once
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/wire.h"
#include "io/file_descriptor.h"

namespace fireline::bench {

class PacketSender {
 public:
  // Throws BenchError. The route to `target` must leave by an interface without a link layer (a TUN device).
  PacketSender(const std::string& network_namespace, const std::string& target, std::uint16_t port,
               std::size_t payload_bytes);

  // Sends one call's worth of datagrams, the first eight payload bytes numbered from `number`. How many were offered:
  // the one that a full device queue refused counts, those behind it were never tried. Negative: an errno, negated.
  [[nodiscard]] int send(std::uint64_t number);

 private:
  static constexpr std::size_t kPerCall = 16;
  static constexpr std::size_t kVnetBytes = 10;
  static constexpr std::size_t kHeaderBytes = kVnetBytes + 20 + 8;

  io::FileDescriptor socket_;
  std::size_t frame_bytes_;
  std::vector<std::byte> frames_;
  std::array<iovec, kPerCall> pieces_{};
  std::array<mmsghdr, kPerCall> messages_{};
};

}  // namespace fireline::bench
