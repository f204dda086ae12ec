// What an engine is made of and stands between: the TUN device, buffers, the cipher, random numbers.
//
// Lifetime: outlives the engine and its data plane. Threads: made on the control thread; its parts are the packet
// thread's then.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/crypto/aead.h"
#include "core/crypto/random.h"
#include "core/node/node_options.h"
#include "io/limits.h"
#include "io/pool.h"
#include "io/thread_mode.h"
#include "io/tun_device.h"
#include "io/udp_bind.h"
#include "io/udp_io.h"

namespace fireline::tunnel {

// "FIRE" on a telephone's keys, above the ephemeral ports' first (platform specification 4.1).
inline constexpr std::uint16_t kPreferredPort = 52625;

struct TunnelOptions {
  std::string tun = "tun-firezone";
  std::uint16_t mtu = node::kTunnelMtu;
  std::uint16_t port = kPreferredPort;      // of both families; another one where it is taken
  std::uint32_t mark = 0;                   // 0: none
  std::optional<io::ThreadMode> threads{};  // empty: by the number of usable CPUs
  unsigned cipher_threads = 0;
  io::UdpIo udp_io = io::UdpIo::automatic;
  std::size_t receive_buffer_bytes = io::kUdpReceiveBufferBytes;
  std::size_t send_buffer_bytes = io::kUdpSendBufferBytes;
};

class Devices {
 public:
  // Makes the TUN device and measures the ciphers. The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<Devices>, std::string> open(const TunnelOptions& options);

  // What the TUN takes as one packet.
  [[nodiscard]] packet::CoalescerOptions merging() const noexcept;

  std::unique_ptr<io::TunDevice> tun;
  std::unique_ptr<crypto::Aead> aead;
  crypto::SystemRandom random;
  io::BufferPool trains{"train", packet::kLargeBufferBytes, io::kTrainPoolBytes};
  io::BufferPool packets{"packet", packet::kSmallBufferBytes, io::kPacketPoolBytes};
};

}  // namespace fireline::tunnel
