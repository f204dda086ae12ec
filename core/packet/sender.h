// Who a datagram of WireGuard's transport data is from, as far as fairness tells senders apart: address and port, and
// behind a relay the TURN channel too, for all its peers share the relay's address.
// Values; any thread. Source: RFC 8656 section 12.4 (channel data), WireGuard paper section 5.4.6.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/endpoint.h"
#include "core/base/wire.h"
#include "core/packet/batch.h"

namespace fireline::packet {

inline constexpr std::byte kTransportDataType{4};  // the first byte of WireGuard's data messages
inline constexpr std::byte kChannelFirst{0x40};    // the first byte of channel data: 0x40 to 0x4F
inline constexpr std::byte kChannelMask{0xF0};
inline constexpr std::size_t kChannelHeaderBytes = 4;

struct Sender {
  Endpoint endpoint;
  std::uint16_t channel = 0;  // 0: none
  friend bool operator==(const Sender&, const Sender&) noexcept = default;
};

// Of the train's first datagram; empty when that is no transport data.
[[nodiscard]] std::optional<Sender> data_sender_of(const ReceivedDatagrams& train) noexcept;

}  // namespace fireline::packet
