// Where the datagrams of a peer go. Direct: to its address. Relayed: through a TURN channel, each datagram with the
// channel header in front of the WireGuard message (connectivity spec 4.3):
//
//   direct     [message]
//   relayed    [channel u16][length u16][message]        RFC 8656 section 12.4, without padding
//
// Values; ReturnPath is called by the device's owner thread and must outlive the device.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/packet/batch.h"
#include "core/stun/channel_data.h"

namespace fireline::wireguard {

struct PeerPath {
  Endpoint destination;             // relayed: the relay's server address
  packet::LocalAddress local = {};  // our source; unspecified for a relay, the kernel chooses
  std::optional<std::uint16_t> channel = std::nullopt;

  // In front of each message.
  [[nodiscard]] std::size_t header_bytes() const noexcept { return channel ? stun::kChannelHeaderBytes : 0; }
  [[nodiscard]] Family family() const noexcept { return destination.address.family(); }
  friend bool operator==(const PeerPath&, const PeerPath&) noexcept = default;
};

// The way back to a sender that is no known peer and came through a relay: a cookie reply wants it.
class ReturnPath {
 public:
  virtual ~ReturnPath() = default;
  // `source` is the address behind the relay, `local` the relayed address at which it arrived. Empty: no channel.
  [[nodiscard]] virtual std::optional<PeerPath> return_path(const Endpoint& source,
                                                            const packet::LocalAddress& local) const = 0;
};

}  // namespace fireline::wireguard
