// Channel data: number (2), length (2), then that many bytes. Source: RFC 8656 section 12.4.
// Over UDP nothing is padded; bytes after the stated length are ignored.
// Lifetime: the view borrows the datagram. Threads: any. No allocation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/wire.h"
#include "core/stun/attribute.h"

namespace fireline::stun {

inline constexpr std::size_t kChannelHeaderBytes = 4;

// What a datagram on a TURN server's port is, by its first byte (RFC 8656 section 12, figure 4).
enum class DatagramKind : std::uint8_t { empty, message, channel_data, other };

[[nodiscard]] inline DatagramKind kind_of(ConstBytes datagram) noexcept {
  if (datagram.empty()) return DatagramKind::empty;
  const std::uint8_t first = load_u8(datagram, 0);
  if (first <= 0x03) return DatagramKind::message;
  if (first >= 0x40 && first <= 0x4F) return DatagramKind::channel_data;
  return DatagramKind::other;
}

struct ChannelDataView {
  std::uint16_t channel = 0;
  ConstBytes payload;  // may be empty

  // Empty when there is no whole header, the number is outside of kMinChannel…kMaxChannel, or bytes are missing.
  [[nodiscard]] static std::optional<ChannelDataView> parse(ConstBytes datagram) noexcept {
    if (datagram.size() < kChannelHeaderBytes) return std::nullopt;
    const std::uint16_t channel = load_be16(datagram, 0);
    const std::size_t bytes = load_be16(datagram, 2);
    if (channel < kMinChannel || channel > kMaxChannel) return std::nullopt;
    if (datagram.size() - kChannelHeaderBytes < bytes) return std::nullopt;
    return ChannelDataView{channel, datagram.subspan(kChannelHeaderBytes, bytes)};
  }
};

// Writes the four bytes before the payload. `header` holds at least kChannelHeaderBytes; aborts otherwise.
inline void write_channel_header(Bytes header, std::uint16_t channel, std::uint16_t payload_bytes) noexcept {
  store_be16(header, 0, channel);
  store_be16(header, 2, payload_bytes);
}

}  // namespace fireline::stun
